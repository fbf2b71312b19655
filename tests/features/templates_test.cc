#include "thalweg/features/templates.h"

#include <string>

#include "support/catch.h"
#include "support/message.h"
#include "thalweg/core/error.h"

using namespace thalweg;

namespace {

std::string refusal(std::string_view text) {
  return message_of<InputError>([&] { TemplateSet::parse(text, "tpl"); });
}

}  // namespace

TEST_CASE("templates are literals around macros", "[features][templates]") {
  const TemplateSet set = TemplateSet::parse(
      "# a comment\n\n  U05:%x[-1,0]/%x[0,12]end "
      "\r\nU\nB\nU:%prefix[0,0,3]%suffix[1,2,10]%shape[-100,0]%lower[100,0]",
      "tpl");
  REQUIRE(set.templates().size() == 3);
  const Template& pair = set.templates()[0];
  CHECK(pair.literals == std::vector<std::string>{"U05:", "/", "end"});
  REQUIRE(pair.macros.size() == 2);
  CHECK(pair.macros[0].row == -1);
  CHECK(pair.macros[1].column == 12);
  CHECK(pair.line == 3);
  CHECK(set.templates()[1].macros.empty());
  const Template& all = set.templates()[2];
  CHECK(all.macros[0].kind == Macro::Kind::Prefix);
  CHECK(all.macros[0].length == 3);
  CHECK(all.macros[1].kind == Macro::Kind::Suffix);
  CHECK(all.macros[2].kind == Macro::Kind::Shape);
  CHECK(all.macros[3].kind == Macro::Kind::Lower);
  CHECK(set.transitions());
  CHECK(set.columns() == 13);
}

TEST_CASE("B and * lines", "[features][templates]") {
  CHECK_FALSE(TemplateSet::parse("U", "tpl").transitions());
  CHECK(TemplateSet::parse("B", "tpl").templates().empty());
  CHECK(TemplateSet::parse("B:any name", "tpl").transitions());
  const TemplateSet both = TemplateSet::parse("*", "tpl");
  CHECK(both.transitions());
  CHECK(both.templates().size() == 1);
  const TemplateSet pairs = TemplateSet::parse("B:%x[0,3]\n*01:%x[0,1]\nU:%x[0,2]", "tpl");
  CHECK_FALSE(pairs.transitions());
  CHECK(pairs.pair_templates().size() == 2);
  CHECK(pairs.templates().size() == 2);
  CHECK(pairs.columns() == 4);
  CHECK(pairs.pair_templates()[1].literals[0] == "*01:");
}

TEST_CASE("errors name line, column and the mend", "[features][templates]") {
  CHECK(refusal("U0:%x[0,0]\n\nU1:%xx[0,0]\n") == "tpl:3: unknown macro '%xx' at column 4; did you mean %x?");
  CHECK_THAT(refusal("U:%suf[0,0,3]"), ContainsSubstring("did you mean %suffix?"));
  CHECK_THAT(refusal("U:%Shpae[0,0]"), ContainsSubstring("did you mean %shape?"));
  CHECK_THAT(refusal("U:%q[0,0]"),
             ContainsSubstring("there are %x, %lower, %shape, %prefix, %suffix, %t, %m and %gazetteer"));
  CHECK_THAT(refusal("U:100%"), ContainsSubstring("a lone % at column 6"));
  CHECK(refusal("U:%x") == "tpl:1: '[' expected at column 5; write %x[row,column]");
  CHECK(refusal("U:%x[0]") == "tpl:1: ',' expected at column 7; write %x[row,column]");
  CHECK(refusal("U:%x[0,0,1]") == "tpl:1: ']' expected at column 9; write %x[row,column]");
  CHECK(refusal("U:%prefix[0,0]") == "tpl:1: ',' expected at column 14; write %prefix[row,column,n]");
  CHECK(refusal("U:%x[a,0]") == "tpl:1: a number expected for the row at column 6; write %x[row,column]");
  CHECK_THAT(refusal("U:%x[0,"), ContainsSubstring("a number expected for the column at column 8"));
  CHECK(refusal("U:%x[-101,0]") == "tpl:1: the row is out of range at column 6; it goes from -100 to 100");
  CHECK_THAT(refusal("U:%x[99999999999999999999,0]"), ContainsSubstring("the row is out of range"));
  CHECK_THAT(refusal("U:%x[0,-1]"), ContainsSubstring("the column is out of range"));
  CHECK_THAT(refusal("U:%prefix[0,0,0]"), ContainsSubstring("n is out of range"));
  CHECK(refusal("B\nU:%x[0,0]\nB") == "tpl:3: the same template as in line 1; take one out");
  CHECK_THAT(refusal("%x[0,0]"), ContainsSubstring("tpl:1: a template begins with U, B or *"));
  CHECK_THAT(refusal("U:\xFF"), ContainsSubstring("tpl:1: a template that is not UTF-8"));
  CHECK_THAT(refusal(std::string_view("U:\0", 3)), ContainsSubstring("not UTF-8 text"));
  CHECK(refusal("# nothing\n\n") == "tpl: there is no template in it; add lines such as U00:%x[0,0] and B");
}

TEST_CASE("a set knows its columns", "[features][templates]") {
  const TemplateSet set = TemplateSet::parse("U0:%x[0,0]\nU1:%x[0,2]/%x[0,1]\n", "tpl");
  const auto message = [&](Index columns) {
    return message_of<InputError>([&] { set.check_columns(columns); });
  };
  CHECK(message(3) == "no error");
  CHECK(message(2) ==
        "tpl:2: the template reads column 2, but the columns to read are 0 to 1; "
        "columns count from 0, and in training the last one is the label");
  CHECK_THAT(
      message(1),
      ContainsSubstring("tpl:2: the template reads column 2, but the columns to read are column 0 alone"));
  CHECK_THAT(message(0),
             ContainsSubstring("tpl:1: the template reads column 0, but the columns to read are none"));
}

TEST_CASE("a set's text is the set", "[features][templates]") {
  const TemplateSet set = TemplateSet::parse("# words\n U0:%x[0,0] \r\n\nB", "tpl");
  CHECK(set.text() == "U0:%x[0,0]\nB\n");
  CHECK(TemplateSet::parse(set.text(), "again").text() == set.text());
}

TEST_CASE("the built-in set fits any number of columns", "[features][templates]") {
  for (Index columns : {1, 2, 3, 12}) {
    const TemplateSet set = TemplateSet::built_in(columns);
    CHECK(set.columns() == columns);
    CHECK(set.transitions());
    CHECK(std::ssize(set.templates()) == 19 + 12 * (columns - 1));
  }
}
