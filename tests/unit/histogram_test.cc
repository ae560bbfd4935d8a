#include <doctest/doctest.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <numeric>

#include "core/status.h"

using namespace outbox;
using namespace std::chrono_literals;

TEST_CASE("a value that equals a bound belongs to that bucket") {
  Histogram histogram;
  histogram.add(1ms);
  histogram.add(1001us);
  CHECK(histogram.counts[0] == 1);
  CHECK(histogram.counts[1] == 1);
}

TEST_CASE("what is longer than the last bound is counted in the bucket without one") {
  Histogram histogram;
  histogram.add(3600s);
  histogram.add(3601s);
  CHECK(histogram.counts[Histogram::bounds.size() - 1] == 1);
  CHECK(histogram.counts.back() == 1);
}

TEST_CASE("a value can be counted several times at once") {
  Histogram histogram;
  histogram.add(2s, 3);
  CHECK(histogram.sum == doctest::Approx(6.0));
  CHECK(std::accumulate(histogram.counts.begin(), histogram.counts.end(), std::uint64_t{0}) == 3);
}

TEST_CASE("nothing and less than nothing, as clocks that step back give, fall into the first bucket") {
  Histogram histogram;
  histogram.add(0s);
  histogram.add(-5s);
  CHECK(histogram.counts[0] == 2);
}

TEST_CASE("the bounds ascend") {
  CHECK(std::is_sorted(Histogram::bounds.begin(), Histogram::bounds.end()));
}
