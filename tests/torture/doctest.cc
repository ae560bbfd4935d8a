// The libraries shared with the tests want doctest's code, though this program has a main() of its own.
#define DOCTEST_CONFIG_IMPLEMENT
#include <doctest/doctest.h>
