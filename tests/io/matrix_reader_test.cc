#include "thalweg/io/matrix_reader.h"

#include <cmath>
#include <cstring>
#include <fstream>
#include <limits>

#include "support/catch.h"
#include "support/message.h"
#include "support/temporary_folder.h"
#include "thalweg/core/error.h"

using namespace thalweg;
using thalweg::testing::TemporaryFolder;

namespace {

template <class T>
std::string bytes_of(const std::vector<T>& values) {
  std::string bytes(values.size() * sizeof(T), '\0');
  std::memcpy(bytes.data(), values.data(), bytes.size());
  return bytes;
}

// A .npy file with this dictionary, padded as NumPy pads it.
std::string npy(std::string dictionary, const std::string& data, char version = 1) {
  const std::size_t fixed = version == 1 ? 10 : 12;
  dictionary.append(63 - (fixed + dictionary.size()) % 64, ' ').append("\n");
  std::string file = std::string("\x93NUMPY") + version + '\0';
  for (std::size_t i = 0; i < fixed - 8; ++i) file += static_cast<char>(dictionary.size() >> (8 * i));
  return file + dictionary + data;
}

std::string header(const char* descr, const char* shape) {
  return std::string("{'descr': '") + descr + "', 'fortran_order': False, 'shape': " + shape + ", }";
}

std::vector<std::vector<float>> rows_of(MatrixReader reader) {
  std::vector<std::vector<float>> rows;
  std::vector<float> row(static_cast<std::size_t>(reader.columns()));
  while (reader.next(row)) rows.push_back(row);
  CHECK(reader.rows_read() == std::ssize(rows));
  return rows;
}
std::vector<std::vector<float>> rows_of(std::string_view bytes) {
  return rows_of(MatrixReader::of_memory(bytes, "v.npy"));
}
std::string refusal(std::string_view bytes) {
  return message_of<InputError>([&] { rows_of(bytes); });
}

const std::vector<std::vector<float>> kRows{{1, 2.5f, -3}, {0, 1e-3f, 4}};
const std::vector<double> kCells{1, 2.5, -3, 0, 1e-3, 4};

}  // namespace

TEST_CASE("matrices are read from .npy files and from text", "[io][matrix]") {
  const std::vector<float> cells(kCells.begin(), kCells.end());
  CHECK(rows_of(npy(header("<f4", "(2, 3)"), bytes_of(cells))) == kRows);
  CHECK(rows_of(npy(header("<f8", "(2, 3)"), bytes_of(kCells))) == kRows);
  CHECK(rows_of(npy(header("<f8", "(2, 3)"), bytes_of(kCells), 2)) == kRows);
  CHECK(rows_of(npy(header("<f8", "(2, 3)"), bytes_of(kCells), 3)) == kRows);
  CHECK(rows_of(npy("{\"shape\":(2,3),\"fortran_order\":False,\"descr\":\"<f8\"}", bytes_of(kCells))) ==
        kRows);
  CHECK(rows_of(npy(header("<f4", "(0, 7)"), "")).empty());
  CHECK(rows_of("1 2.5\t-3\n\n  0 1e-3 4\r\n\n") == kRows);
  CHECK(rows_of("7") == std::vector<std::vector<float>>{{7}});

  const TemporaryFolder folder;
  std::ofstream(folder / "v.npy", std::ios::binary) << npy(header("<f8", "(2, 3)"), bytes_of(kCells));
  std::ofstream(folder / "v.txt") << "1 2.5 -3\n0 0.001 4\n";
  CHECK(rows_of(MatrixReader(folder / "v.npy")) == kRows);
  CHECK(rows_of(MatrixReader(folder / "v.txt")) == kRows);
  CHECK_THROWS_AS(MatrixReader(folder / "nowhere"), IoError);
  CHECK_THROWS_AS(MatrixReader(folder / ""), IoError);
}

TEST_CASE("bad matrices are refused with the place", "[io][matrix]") {
  const std::string data = bytes_of(kCells);
  CHECK_THAT(refusal(npy(header("<f8", "(3, 3)"), data)),
             ContainsSubstring("48 bytes of numbers, the header says"));
  CHECK_THAT(refusal(npy(header("<f8", "(1, 3)"), data)), ContainsSubstring("v.npy: 48 bytes"));
  CHECK_THAT(refusal(npy(header("<f8", "(9223372036854775807, 3)"), data)), ContainsSubstring("48 bytes"));
  CHECK_THAT(refusal(npy(header("<f8", "(99999999999999999999, 3)"), data)),
             ContainsSubstring("header is not as NumPy"));
  CHECK_THAT(refusal(npy(header("<f8", "(2, 1048577)"), data)), ContainsSubstring("rows of 1048577"));
  CHECK_THAT(refusal(npy(header("<f8", "(2, 0)"), "")), ContainsSubstring("rows of 0"));
  CHECK_THAT(refusal(npy(header("<f8", "(6,)"), data)), ContainsSubstring("1 dimensions"));
  CHECK_THAT(refusal(npy(header("<f8", "()"), data)), ContainsSubstring("0 dimensions"));
  CHECK_THAT(refusal(npy(header(">f8", "(2, 3)"), data)), ContainsSubstring("astype"));
  CHECK_THAT(refusal(npy(header("|O", "(2, 3)"), data)), ContainsSubstring("the numbers are '|O'"));
  CHECK_THAT(refusal(npy("{'descr': '<f8', 'fortran_order': True, 'shape': (2, 3)}", data)),
             ContainsSubstring("ascontiguousarray"));
  for (const char* bad : {"", "{", "{}", "{'descr': '<f8'}", "{'descr': '<f8', 'shape': (2, 3)}", "{'x': 1}",
                          "{'descr': [('a', '<f8')], 'fortran_order': False, 'shape': (2, 3)}",
                          "{'descr': '<f8', 'descr': '<f8', 'fortran_order': False, 'shape': (2, 3)}",
                          "{'descr': '<f8', 'fortran_order': Maybe, 'shape': (2, 3)}",
                          "{'descr': '<f8', 'fortran_order': False, 'shape': (-2, 3)}"}) {
    CAPTURE(bad);
    CHECK_THAT(refusal(npy(bad, data)), ContainsSubstring("header is not as NumPy"));
  }
  CHECK_THAT(refusal(npy(header("<f8", "(2, 3)"), data, 9)), ContainsSubstring("version 9"));
  const std::string good = npy(header("<f8", "(2, 3)"), data);
  for (std::size_t size = 6; size < good.size(); ++size)
    CHECK_THROWS_AS(rows_of(good.substr(0, size)), InputError);
  std::string long_header("\x93NUMPY\x02\x00\xFF\xFF\xFF\xFF", 12);
  CHECK_THAT(refusal(long_header), ContainsSubstring("header of 4294967295 bytes"));

  std::vector<double> cells = kCells;
  for (const double bad : {std::nan(""), HUGE_VAL, 1e300}) {
    cells[4] = bad;
    CHECK_THAT(refusal(npy(header("<f8", "(2, 3)"), bytes_of(cells))),
               ContainsSubstring("v.npy: row 2, column 2: not a finite number"));
  }
  CHECK_THAT(refusal("1 2\n3 x\n"), ContainsSubstring("v.npy:2: 'x' is not a finite number"));
  CHECK_THAT(refusal("1 nan"), ContainsSubstring("v.npy:1: 'nan'"));
  CHECK_THAT(refusal("1 1e300"), ContainsSubstring("'1e300'"));
  CHECK_THAT(refusal("1 2\n\n3\n"), ContainsSubstring("v.npy:3: 1 numbers, 2 expected"));
  CHECK_THAT(refusal("\n\n"), ContainsSubstring("there is no row"));
}
