"""stub"""

from tradectl.history.plan import Loaded


def load_book_catalogue(*a) -> Loaded: ...
