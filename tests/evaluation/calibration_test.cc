#include "thalweg/evaluation/calibration.h"

#include "support/catch.h"
#include "thalweg/core/random.h"

using namespace thalweg;

TEST_CASE("the expected calibration error is that of hand-made bins", "[evaluation]") {
  Calibration none;
  CHECK(none.expected_error() == 0);
  Calibration some;                            // bins of 1/15
  some.add(0.9, true), some.add(0.92, false);  // both in [13/15, 14/15): |1.82 - 1| / 4
  some.add(0.5, true);                         // |.5 - 1| / 4
  some.add(1.0, true);                         // the last bin holds 1
  CHECK(some.expected_error() == Approx((0.82 + 0.5) / 4));
  CHECK(some.bins()[13].count == 2);
  CHECK(some.bins()[14].count == 1);
}

TEST_CASE("probabilities that mean what they say have next to no error", "[evaluation]") {
  Calibration honest, boasting;
  Rng rng(1);
  for (int i = 0; i < 200000; ++i) {
    const double p = rng.uniform();
    honest.add(p, rng.uniform() < p);
    boasting.add(p, rng.uniform() < p * p);
  }
  CHECK(honest.expected_error() < 0.01);
  CHECK(boasting.expected_error() == Approx(1.0 / 6).margin(0.01));  // the mean of p - p^2
}
