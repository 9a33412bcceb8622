"""Tests of the history unit."""
