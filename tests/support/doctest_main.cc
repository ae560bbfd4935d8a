#define DOCTEST_CONFIG_IMPLEMENT
#include <doctest/doctest.h>

#include "base/background.h"

int main(int argc, char** argv) {
  outbox::end_process(doctest::Context(argc, argv).run());
}
