/// @file
/// Handwritten digits as pen trajectories, from the UNIPEN text of `pendigits-orig` (Alimoglu and Alpaydin
/// 1996; format: Guyon et al. 1994).
///
///     const std::vector<PenDigit> digits = read_unipen("pendigits-orig.tra.gz");
///     for (const PenStroke& stroke : digits[0].strokes)
///       for (const PenPoint& p : stroke) draw(p.x, p.y);
///
/// The part of UNIPEN that is read: a header of .INCLUDE, .LEXICON and .HIERARCHY lines, then digit by digit
///
///     .SEGMENT DIGIT 251-252 ? "4"     the strokes it is made of, numbered from 0 through the file
///     .COMMENT 4 11 89                 label, writer, number
///     .PEN_DOWN                        and a line "x y" for every point of the stroke
///     .PEN_UP
///     .DT 100                          a pause, in ms
///
/// with empty lines anywhere but inside a stroke. Anything else is refused: a digit whose strokes are not
/// those that its range announces, a label that two lines dispute, a stroke without points.
#pragma once

#include <string>
#include <vector>

#include "thalweg/core/export.h"
#include "thalweg/core/types.h"
#include "thalweg/io/text_reader.h"

namespace thalweg {

/// A sample of the pen, in pixels of the tablet of 500 x 500; y grows upwards.
struct PenPoint {
  int x = 0, y = 0;
  friend bool operator==(const PenPoint&, const PenPoint&) = default;
};

/// From pen down to pen up, evenly sampled in time; never empty.
using PenStroke = std::vector<PenPoint>;

struct PenDigit {
  char label = '0';                ///< '0' to '9'
  Index writer = 0;                ///< as the file numbers them
  Index line = 0;                  ///< of its .SEGMENT, from 1
  std::vector<PenStroke> strokes;  ///< never empty
};

/// The digits in the order of the file.
/// @throws as TextReader; InputError at `file:line` for what is not as above, and where there is no digit
THALWEG_EXPORT std::vector<PenDigit> read_unipen(TextReader text);
/// From a file, gzipped or not; "-" is standard input.
THALWEG_EXPORT std::vector<PenDigit> read_unipen(const std::string& path);

}  // namespace thalweg
