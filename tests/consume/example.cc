// Learns names from three sentences, saves the model, loads it again and labels a sentence it has not seen.
#include <iostream>

#include "thalweg/core/error.h"
#include "thalweg/io/model_file.h"
#include "thalweg/pipeline/tagger.h"
#include "thalweg/pipeline/train.h"

int main() try {
  using namespace thalweg;
  Corpus corpus;
  corpus.add({{"Mara", "B-PER"}, {"Lindqvist", "I-PER"}, {"rowed", "O"}, {"to", "O"}, {"Tolbeck", "B-LOC"}});
  corpus.add({{"The", "O"}, {"ferry", "O"}, {"to", "O"}, {"Dunmere", "B-LOC"}, {"was", "O"}, {"late", "O"}});
  corpus.add({{"Orrin", "B-PER"}, {"Vale", "I-PER"}, {"waited", "O"}, {"for", "O"}, {"Mara", "B-PER"}});
  save_model(train(corpus, {.c2 = 0.01}), "names.model");

  const Tagger tagger = Tagger::load("names.model");
  for (const std::string& label : tagger.tag({"Orrin", "Vale", "walked", "to", "Greyford"}))
    std::cout << label << '\n';
} catch (const thalweg::Error& error) {
  std::cerr << error.what() << '\n';  // where, what, and how to mend it
  return 1;
}
