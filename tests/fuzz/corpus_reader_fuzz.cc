// Both formats, plain and gzip: whatever the bytes, only thalweg::Error comes out, and the lines of the
// blocks are the input. The first byte says what is read.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "thalweg/core/error.h"
#include "thalweg/corpus/utf8.h"
#include "thalweg/io/corpus_reader.h"

using namespace thalweg;

namespace {

void require(bool holds) {
  if (!holds) std::abort();
}

void check(const Sentence& sentence) {
  for (Index t = 0; t < sentence.size(); ++t) {
    require(sentence.columns(t) > 0);
    for (Index c = 0; c < sentence.columns(t); ++c) require(valid_utf8(sentence.cell(t, c)));
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::string_view input(reinterpret_cast<const char*>(data) + 1, size - 1);
  CorpusReader reader(TextReader::of_memory(input, "fuzz"),
                      data[0] % 2 ? Format::Columns : Format::Attributes);
  Corpus corpus;
  std::string copy;
  for (bool more = true; more;) {
    try {
      more = reader.next_block();
      check(reader.sentence());
      corpus.add(reader.sentence());
    } catch (const Error&) {
    }
    for (const CorpusReader::Line& line : reader.lines()) copy.append(line.text).append(line.ending);
  }
  if (reader.text().byte_order_mark()) copy.insert(0, "\xEF\xBB\xBF");
  require(input.starts_with("\x1F\x8B") || copy == input);
  return 0;
}
