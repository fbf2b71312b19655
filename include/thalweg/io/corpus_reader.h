/// @file
/// Sentences from column files (CoNLL) and attribute files (CRFsuite).
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "thalweg/core/export.h"
#include "thalweg/core/types.h"
#include "thalweg/corpus/corpus.h"
#include "thalweg/io/text_reader.h"

namespace thalweg {

/// How a line becomes a row of cells. In both, a line of nothing but blanks and tabs ends a sentence.
enum class Format {
  /// One token a line; any run of blanks and tabs separates cells, as in CRF++. Every token has as many cells
  /// as the
  /// first of the file. A line that begins with "# " is a comment if no token of its sentence stands before
  /// it and its
  /// number of cells is not that of the file's tokens: CoNLL-2000 has tokens that read "# # B-NP". (In a
  /// first
  /// sentence of such lines only, the last one counts as a token.)
  Columns,
  /// CRFsuite's: `label TAB attribute[:value] TAB ...`. Cell 0 is the label. `\:` and `\\` stand for `:` and
  /// `\`; a
  /// value is a finite decimal number, and in the label a plain `:` is itself. Empty fields are skipped.
  Attributes,
};

/// Streams sentences in memory that does not grow with the file.
///
///     CorpusReader reader("train.conll", Format::Columns);
///     while (reader.next()) use(reader.sentence());
///
/// Errors leave the reader usable: after an InputError in a sentence, `lines()` holds that sentence without
/// tokens, and the next call goes on behind it.
class THALWEG_EXPORT CorpusReader {
 public:
  struct Line {
    std::string_view text;    ///< As it was, without its ending.
    std::string_view ending;  ///< As it was: "\n", "\r\n", or at the end of the file "" or "\r".
    Index token;              ///< Its position in the sentence; -1 for a comment or blank line.
  };

  /// @param weights a line `# weight 2.5` above a sentence's first token says how much it counts
  /// (SentenceNote::weight); otherwise it is a line like others
  CorpusReader(TextReader text, Format format, bool weights = false)
      : text_(std::move(text)), format_(format), reads_weights_(weights) {}
  CorpusReader(const std::string& path, Format format, bool weights = false)
      : CorpusReader(TextReader(path), format, weights) {}

  /// Reads the next sentence; false at the end. All views stay valid until the next call. @throws as
  /// TextReader, and InputError at `file:line`: a token with another number of columns, a value that is not a
  /// number, a weight that is none above 0 or has no sentence.
  bool next();

  /// For programs that copy their input: like `next`, but also stops at lines that belong to no sentence (a
  /// second blank line, comments without tokens), with an empty sentence. The lines of all blocks, each with
  /// its text and ending, are the file byte for byte, but for a byte order mark.
  bool next_block();

  /// A block by itself, for programs that have many in hand.
  class Block {
   public:
    const Sentence& sentence() const { return sentence_; }
    std::span<const Line> lines() const { return lines_; }

   private:
    friend class CorpusReader;
    std::vector<char> buffer_;  // the lines, each with attribute names without their escapes behind it
    std::vector<Cell> cells_;
    std::vector<float> values_;  // beside cells_, for attributes
    std::vector<std::uint32_t> row_ends_;
    std::vector<Line> lines_;
    Sentence sentence_;
  };
  /// Moves the block out, its views intact, and takes the memory of `into` for the next: nothing is copied.
  void take(Block& into);

  const Sentence& sentence() const { return block_.sentence_; }
  /// The block's lines: comments, tokens, and the blank line that ended it.
  std::span<const Line> lines() const { return block_.lines_; }
  std::uint64_t first_line() const { return first_line_; }  ///< Number of lines()[0].
  const TextReader& text() const { return text_; }          ///< Name and byte order mark of the file.

 private:
  struct RawLine {
    std::size_t begin, size, ending;  // bytes of buffer_
    Index token;
  };

  void clear();
  void drop_tokens();
  void keep_line();
  void append(std::string_view bytes);
  void add_line();
  void settle_comments(Index columns);
  bool is_weight(std::size_t line) const;
  void read_weight(std::size_t line);
  void add_columns(std::size_t line);
  void add_attributes(std::size_t line);
  void add_attribute(std::size_t begin, std::size_t end, std::size_t line);
  bool is_escape(std::size_t at, std::size_t end) const;
  void add_name(std::size_t begin, std::size_t end);
  void end_token(std::size_t line);
  void publish();
  std::string_view view(std::size_t line) const;
  std::string where(std::size_t line) const;

  TextReader text_;
  Format format_;
  bool reads_weights_;
  Index columns_ = 0;               // of every token in the file; 0 until the first
  std::uint64_t columns_line_ = 0;  // the line that said so

  // The block, reused from one to the next.
  Block block_;
  std::vector<RawLine> raw_;
  std::size_t pending_ = 0;  // leading lines that begin with "# "
  bool weighted_ = false;    // whether a value is not 1
  std::uint64_t first_line_ = 0;
  SentenceNote note_;  // of the block at hand
  std::optional<std::size_t> weight_line_;
};

/// A whole file; "-" is standard input. @throws as CorpusReader, and InputError if there is no sentence.
/// @param weights as CorpusReader
THALWEG_EXPORT Corpus read_corpus(const std::string& path, Format format, bool weights = false);

}  // namespace thalweg
