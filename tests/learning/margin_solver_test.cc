#include "thalweg/learning/margin_solver.h"

#include "support/catch.h"
