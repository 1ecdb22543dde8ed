// SPDX-License-Identifier: Apache-2.0
// The pos experiment against a scripted model: which words are read, how answers follow, which rows come out.
#define dlens_entry_v1 pos_entry
#include "../../experiments/pos/pos.cpp"
#undef dlens_entry_v1

#include "fake_host.hpp"

#include <boost/test/unit_test.hpp>

using depthlens::record;
using depthlens::test::fake_host;
using strings = std::vector<std::string>;

namespace {

record row(std::string prompt, std::optional<std::string> answer,
           std::optional<std::string> text = std::nullopt) {
  record r;
  r.fields.emplace_back("prompt", std::move(prompt));
  if (answer) r.fields.emplace_back("answer", std::move(*answer));
  if (text) r.fields.emplace_back("text", std::move(*text));
  return r;
}

// Words divided by '|', each "form/TAG"; a blank in front of a form is in the text, a '+' marks the tail of a
// multiword token that shares the bytes of the word before.
record sentence(const std::string& words) {
  record r;
  std::string text;
  for (std::size_t at = 0; at < words.size();) {
    const std::size_t end = std::min(words.find('|', at), words.size());
    const std::string item = words.substr(at, end - at), form = item.substr(0, item.rfind('/'));
    const std::string tag = item.substr(item.rfind('/') + 1);
    if (form == "+") {
      r.words.push_back({r.words.back().begin, r.words.back().end, tag, true});
    } else {
      text += form;
      const std::size_t begin = text.size() - form.size() + (form[0] == ' ' ? 1 : 0);
      r.words.push_back({begin, text.size(), tag, false});
    }
    at = end + 1;
  }
  r.fields.emplace_back("text", text);
  return r;
}

const record cat_sentence = sentence(
    "The/DET| small/ADJ| grey/ADJ| cat/NOUN| sat/VERB| on/ADP| the/DET| mat/NOUN|,/PUNCT| by/ADP| a/DET| "
    "door/NOUN|./PUNCT");

// Tables but their intervals.
const std::vector<const char*> earliest_parts = {
    "category", "k", "mean_first", "mean_stable", "median_first", "n", "never", "std_first", "n_stable"};
const std::vector<const char*> layer_parts = {
    "category", "layer", "n", "mean_rank", "median_rank", "mean_probability", "mean_entropy", "mean_kl"};

}  // namespace

BOOST_AUTO_TEST_SUITE(pos_experiment)

BOOST_AUTO_TEST_CASE(a_row_gives_one_line_per_layer_with_all_measures) {
  fake_host host(pos_entry());
  host.add("DET", "prompt", {row("he looked at", "the")});
  host.model.top["he looked at"] = " the";
  host.run();
  const strings want = {"0|2|0|embed|0|5| the|5|3|-0.75|1|7|~|3|0|-0.75|0|2|blank|the",
                        "0|2|1|block.0.out|0.5|5| the|5|2|-0.5|1|7|~|2|0|-0.5|0.5|1|blank|the",
                        "0|2|2|block.1.out|1|5| the|5|1|-0.25|1|5| the|1|0|-0.25|1|0|blank|the"};
  const strings got = host.rows("rows.DET");
  BOOST_TEST(got == want, boost::test_tools::per_element());
  BOOST_TEST(host.parts("prompts.DET", {"prompt_id", "text", "ids", "gold", "kept", "reason", "position",
                                        "word"}) == strings({"0|he looked at|2 3 4|5|1||2|the"}),
             boost::test_tools::per_element());
  BOOST_TEST(host.file("rows.DET") == "pos_DET_{lens}");
  BOOST_TEST(host.file("prompts.DET") == "prompts_pos_DET");
}

BOOST_AUTO_TEST_CASE(a_wrong_answer_keeps_its_rows_but_is_not_in_the_figures) {
  fake_host host(pos_entry());
  host.add("DET", "prompt", {row("he looked at", "the"), row("she looked at", "the")});
  host.model.top["he looked at"] = " his";
  host.model.top["she looked at"] = " the";
  host.run();
  BOOST_TEST(host.column("rows.DET", "correct") == strings({"0", "0", "0", "1", "1", "1"}),
             boost::test_tools::per_element());
  BOOST_TEST(host.column("rows.DET", "target_text")[0] == " his");
  BOOST_TEST(host.column("rows.DET", "gold_rank")[0] == "100");
  const strings earliest = host.parts("earliest", earliest_parts);
  BOOST_TEST(earliest[0] == "DET|1|2|2|2|1|0|0|1");  // rank 1 at layer 2 alone
  BOOST_TEST(earliest[1] == "DET|2|1|1|1|1|0|0|1");
  BOOST_TEST(host.figure_prompts.at("earliest_layer_pos_{lens}") == 1U);
  BOOST_TEST(host.counts.at("DET: kept") == 2U);
}

// The rank of an answer by layer where the model misses it; the model's own top-1 is first at all layers.
std::uint32_t missed_rank(fake_host& host, const std::string& text, std::int32_t id, std::uint32_t layer) {
  if (id == host.tokenizer.id(" the")) {
    if (text == "he looked at") return std::array{40U, 6U, 2U}.at(layer);
    if (text == "it looked at") return std::array{20U, 8U, 4U}.at(layer);
  }
  return 1;
}

BOOST_AUTO_TEST_CASE(missed_answers_are_followed_beside_the_right_ones_where_that_is_asked_for) {
  fake_host host(pos_entry());
  host.options = {{"failures", "true"}};
  host.add("DET", "prompt",
           {row("he looked at", "the"), row("she looked at", "the"), row("it looked at", "the"),
            row("we looked at", "the"), row("you looked at", std::nullopt), row("they looked at", "")});
  host.model.top = {{"he looked at", " his"},
                    {"she looked at", " the"},
                    {"it looked at", " me"},
                    {"we looked at", "\n"},
                    {"you looked at", " me"}};
  host.model.rank = [&](const std::string& text, std::int32_t id, std::uint32_t layer) {
    return missed_rank(host, text, id, layer);
  };
  host.run();
  BOOST_TEST(host.column("prompts.DET", "correct") == strings({"0", "1", "0", "", "", ""}),
             boost::test_tools::per_element());
  BOOST_TEST(host.column("prompts.DET", "reason") == strings({"", "", "", "white space", "", "no answer"}),
             boost::test_tools::per_element());
  // Ranks 40, 6, 2 and 20, 8, 4: log-probabilities are -rank / 4.
  const strings layers = {
      "DET|0|2|1|1|0.778801|0|2|0|DET",          "DET|1|2|1|1|0.778801|0.5|1|0|DET",
      "DET|2|2|1|1|0.778801|1|0|0|DET",          "DET, wrong|0|2|30|30|0.00339167|0|2|1|DET",
      "DET, wrong|1|2|7|7|0.179233|0.5|1|1|DET", "DET, wrong|2|2|3|3|0.487205|1|0|1|DET"};
  std::vector<const char*> ids = layer_parts;
  ids.insert(ids.end(), {"wrong", "set"});
  BOOST_TEST(host.parts("layers", ids) == layers, boost::test_tools::per_element());
  strings at_five;
  ids = earliest_parts;
  ids.insert(ids.end(), {"wrong", "set"});
  for (const std::string& line : host.parts("earliest", ids))
    if (line.starts_with("DET, wrong|1|") || line.starts_with("DET, wrong|5|") ||
        line.starts_with("DET, wrong|6|") || line.starts_with("DET, wrong|20|"))
      at_five.push_back(line);
  BOOST_TEST(at_five == strings({"DET, wrong|1||||0|2||0|1|DET", "DET, wrong|5|2|2|2|2|0|0|2|1|DET",
                                 "DET, wrong|6|1.5|1.5|1.5|2|0|0.5|2|1|DET",
                                 "DET, wrong|20|0.5|0.5|0.5|2|0|0.5|2|1|DET"}),
             boost::test_tools::per_element());
  BOOST_TEST(host.figure_prompts.at("earliest_layer_pos_{lens}") == 4U);
  const dlens_figure& figure = *host.figures()[0];
  BOOST_TEST(std::string_view(figure.color) == "set");
  BOOST_TEST(std::string_view(figure.dash) == "wrong");
}

BOOST_AUTO_TEST_CASE(right_sets_come_before_wrong_ones_and_the_baseline_has_none) {
  fake_host host(pos_entry());
  host.options = {{"failures", "true"}};
  host.add("DET", "prompt", {row("x", "the"), row("y", "the")});
  host.add("NOUN", "prompt", {row("x", "cat")});
  host.add("BASELINE", "prompt", {row("z", std::nullopt)});
  host.model.top = {{"x", " the"}};
  host.run();
  strings order = host.column("layers", "category");
  order.erase(std::unique(order.begin(), order.end()), order.end());
  BOOST_TEST(order == strings({"DET", "BASELINE", "DET, wrong", "NOUN, wrong"}),
             boost::test_tools::per_element());
  BOOST_TEST(host.warnings.size() == 1U);
  BOOST_TEST(host.warnings.at(0).find("no prompt of NOUN") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(without_failures_the_tables_have_no_further_columns) {
  fake_host host(pos_entry());
  host.add("DET", "prompt", {row("x", "the")});
  host.run();
  BOOST_TEST(host.columns("layers").back() == "n_clusters");
  BOOST_TEST(host.columns("onsets").back() == "never");
  BOOST_TEST(host.columns("earliest").back() == "n_clusters");
  BOOST_TEST(host.columns("prompts.DET").back() == "word");
  BOOST_TEST(host.figures()[0]->dash == nullptr);
}

BOOST_AUTO_TEST_CASE(the_published_way_has_no_failures) {
  fake_host host(pos_entry());
  host.options = {{"failures", "true"}};
  host.published = 1;
  host.add("DET", "prompt", {row("x", "the")});
  BOOST_CHECK_EXCEPTION(host.run(), depthlens::error, [](const depthlens::error& e) {
    return e.code() == depthlens::status::usage && std::string(e.what()).starts_with("--failures ");
  });
}

BOOST_AUTO_TEST_CASE(target_gold_makes_the_rows_about_the_answer) {
  fake_host host(pos_entry());
  host.target_gold = 1;
  host.add("DET", "prompt", {row("he looked at", "the")});
  host.model.top["he looked at"] = " his";
  host.run();
  BOOST_TEST(host.column("rows.DET", "target_text")[0] == " the");
  BOOST_TEST(host.column("rows.DET", "rank")[2] == "100");
}

BOOST_AUTO_TEST_CASE(the_model_chooses_between_blank_and_bare_and_behind_white_space_it_is_bare) {
  fake_host host(pos_entry());
  host.add("NOUN", "prompt", {row("twenty-", "one"), row("twenty\n", "one"), row("twenty ", "one")});
  host.model.top["twenty-"] = "one";
  host.run();
  BOOST_TEST(host.column("rows.NOUN", "form") ==
                 strings({"bare", "bare", "bare", "bare", "bare", "bare", "bare", "bare", "bare"}),
             boost::test_tools::per_element());
  BOOST_TEST(host.column("prompts.NOUN", "gold").back() == std::to_string(host.tokenizer.id("one")));
}

BOOST_AUTO_TEST_CASE(an_answer_that_merges_with_the_prompt_is_a_boundary) {
  fake_host host(pos_entry());
  host.add("NOUN", "prompt",
           {row("twenty", "one", "twentyone"), row("", "x"), row("a", ""), row("twenty", std::nullopt)});
  host.run();
  BOOST_TEST(host.column("prompts.NOUN", "reason") == strings({"boundary", "empty", "no answer", ""}),
             boost::test_tools::per_element());
  BOOST_TEST(host.column("prompts.NOUN", "kept") == strings({"0", "0", "0", "1"}),
             boost::test_tools::per_element());
  BOOST_TEST(host.column("rows.NOUN", "gold") == strings({"", "", ""}), boost::test_tools::per_element());
  BOOST_TEST(host.asked == strings({"twenty"}), boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(an_empty_answer_is_not_kept_whether_or_not_there_is_a_text) {
  fake_host host(pos_entry());
  host.add("NOUN", "prompt", {row("twenty", "", "twenty one"), row("he saw", ""), row("a", "b", "a b")});
  host.run();
  BOOST_TEST(host.column("prompts.NOUN", "reason") == strings({"no answer", "no answer", ""}),
             boost::test_tools::per_element());
  BOOST_TEST(host.asked == strings({"a"}), boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(a_text_that_goes_on_otherwise_is_an_error_with_its_row) {
  fake_host host(pos_entry());
  host.add("NOUN", "prompt", {row("twenty", "one", "twenty two")});
  BOOST_CHECK_EXCEPTION(host.run(), depthlens::error, [](const depthlens::error& e) {
    return e.code() == depthlens::status::data && std::string(e.what()).starts_with("row 0: \"text\"");
  });
}

BOOST_AUTO_TEST_CASE(a_prompt_over_the_models_positions_is_not_run) {
  fake_host host(pos_entry());
  host.max_positions = 3;
  host.add("DET", "prompt", {row("a b c d", "e"), row("a b c", "d")});
  host.run();
  BOOST_TEST(host.column("prompts.DET", "reason") == strings({"too long", ""}),
             boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(a_tagged_file_gives_the_first_late_enough_word_of_each_of_six_sets) {
  fake_host host(pos_entry());
  host.add("", "sentence", {cat_sentence});
  host.run();
  // "The small grey cat" has 18 characters; "The small grey" 14.
  BOOST_TEST(host.column("prompts.DET", "text")[0] == "The small grey cat sat on");
  BOOST_TEST(host.column("prompts.VERB", "text")[0] == "The small grey cat");
  BOOST_TEST(host.column("prompts.NOUN", "text")[0] == "The small grey cat sat on the");
  BOOST_TEST(host.column("prompts.PUNCT", "text")[0] == "The small grey cat sat on the mat");
  BOOST_TEST(host.rows("prompts.ADJ").empty());
  BOOST_TEST(host.counts.at("ADJ: no such word") == 1U);
  BOOST_TEST(host.column("rows.DET", "form")[0] == "source");
  BOOST_TEST(host.column("rows.DET", "gold")[0] == std::to_string(host.tokenizer.id(" the")));
  BOOST_TEST(host.column("rows.PUNCT", "gold")[0] == std::to_string(host.tokenizer.id(",")));
}

BOOST_AUTO_TEST_CASE(words_all_reads_every_tagged_word_at_its_own_position) {
  fake_host host(pos_entry());
  host.options = {{"words", "all"}, {"min-prompt", "1"}};
  host.add("", "sentence", {cat_sentence});
  host.run();
  BOOST_TEST(host.column("prompts.DET", "word") == strings({"the", "a"}), boost::test_tools::per_element());
  BOOST_TEST(host.column("prompts.DET", "position") == strings({"5", "9"}), boost::test_tools::per_element());
  BOOST_TEST(host.column("rows.DET", "position") == strings({"5", "5", "5", "9", "9", "9"}),
             boost::test_tools::per_element());
  BOOST_TEST(
      host.column("prompts.PUNCT", "text") ==
          strings({"The small grey cat sat on the mat", "The small grey cat sat on the mat, by a door"}),
      boost::test_tools::per_element());
  BOOST_TEST(host.asked.size() == 12U);  // all 13 words but the first, which has nothing before it
}

BOOST_AUTO_TEST_CASE(the_tail_of_a_multiword_token_is_no_target) {
  fake_host host(pos_entry());
  host.options = {{"words", "all"}, {"min-prompt", "1"}};
  host.add("", "sentence", {sentence("we/PRON| go/VERB| zum/ADP|+/DET| see/NOUN")});
  host.run();
  BOOST_TEST(host.rows("prompts.DET").empty());
  BOOST_TEST(host.column("prompts.ADP", "word") == strings({"zum"}), boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(white_space_is_dropped_retried_or_kept) {
  for (const std::string rule : {"auto", "retry", "keep"}) {
    fake_host host(pos_entry());
    host.options = {{"whitespace", rule}};
    host.add("DET", "prompt", {row("he looked at", "the"), row("he saw", "the")});
    host.model.top["he looked at"] = "\n";
    host.model.top["he looked at "] = "the";
    host.model.top["he saw"] = " the";
    host.run();
    if (rule == "auto") {
      BOOST_TEST(host.column("prompts.DET", "reason")[0] == "white space");
      BOOST_TEST(host.rows("rows.DET").size() == 3U);
    } else {
      BOOST_TEST(host.rows("rows.DET").size() == 6U);
      BOOST_TEST(host.column("rows.DET", "correct")[0] == (rule == "retry" ? "1" : "0"));
      BOOST_TEST(host.column("prompts.DET", "text")[0] ==
                 (rule == "retry" ? "he looked at " : "he looked at"));
      BOOST_TEST(host.column("prompts.DET", "text")[1] == "he saw");
    }
  }
}

BOOST_AUTO_TEST_CASE(baseline_keeps_white_space_and_needs_no_answer) {
  fake_host host(pos_entry());
  host.add("BASELINE", "cut", {row("he looked at", std::nullopt)});
  host.model.top["he looked at"] = " ";
  host.run();
  BOOST_TEST(host.column("rows.BASELINE", "correct") == strings({"", "", ""}),
             boost::test_tools::per_element());
  BOOST_TEST(host.parts("layers", layer_parts)[2] == "BASELINE|2|1|1|1|0.778801|1|0");
}

BOOST_AUTO_TEST_CASE(categories_come_in_the_order_of_the_figures_and_each_file_once) {
  fake_host host(pos_entry());
  host.add("BASELINE", "prompt", {row("x", std::nullopt)});
  host.add("NOUN", "prompt", {row("y", "cat")});
  host.add("DET", "prompt", {row("z", "the")});
  host.model.top = {{"y", " cat"}, {"z", " the"}};
  host.run();
  strings order = host.column("layers", "category");
  order.erase(std::unique(order.begin(), order.end()), order.end());
  BOOST_TEST(order == strings({"DET", "NOUN", "BASELINE"}), boost::test_tools::per_element());
  BOOST_TEST(host.column("prompts.NOUN", "text") == strings({"y"}), boost::test_tools::per_element());

  fake_host twice(pos_entry());
  twice.add("", "sentence", {cat_sentence});
  twice.add("DET", "prompt", {row("z", "the")});
  BOOST_CHECK_THROW(twice.run(), depthlens::error);
}

BOOST_AUTO_TEST_CASE(the_published_way_writes_the_published_columns_and_filters) {
  fake_host host(pos_entry(), true);
  host.published = 1;
  host.add("DET", "prompt",
           {row("he looked at", "the"), row("she looked at", "the"), row("it looked at", "the"),
            row("we looked at", "the")});
  host.model.top = {{"<s>he looked at", " the"}, {"<s>she looked at", " his"}, {"<s>it looked at", "\n"},
                    {"<s>it looked at ", "the"}, {"<s>we looked at", "\n"},    {"<s>we looked at ", " "}};
  host.run();
  const std::string the = std::to_string(host.tokenizer.id(" the")),
                    bare = std::to_string(host.tokenizer.id("the"));
  const std::string unsure = std::to_string(host.tokenizer.id("~"));
  const strings want = {"model.layers.0|0|he looked at|" + the + "|the|" + unsure + "|2|0.606531",
                        "model.layers.1|0|he looked at|" + the + "|the|" + the + "|1|0.778801",
                        "model.layers.0|2|it looked at |" + bare + "|the|" + unsure + "|2|0.606531",
                        "model.layers.1|2|it looked at |" + bare + "|the|" + bare + "|1|0.778801"};
  BOOST_TEST(host.rows("rows.DET") == want, boost::test_tools::per_element());
  BOOST_TEST(host.columns("rows.DET") == strings({"layer", "prompt index", "prompt", "answer", "answer_text",
                                                  "guess", "rank", "probability"}),
             boost::test_tools::per_element());
  BOOST_TEST(host.file("rows.DET") == "{name}_DET_{lens}");
  BOOST_TEST(host.column("prompts.DET", "reason") == strings({"", "wrong", "", "white space"}),
             boost::test_tools::per_element());
  BOOST_TEST(host.rows("curve")[0] == "1|DET_logit|1|0");
  BOOST_TEST(host.rows("curve")[1] == "2|DET_logit|0|0");
  BOOST_TEST(host.rows("curve").size() == 154U);
}

BOOST_AUTO_TEST_CASE(the_published_way_joins_the_words_of_a_sentence_and_looks_at_the_first_of_a_tag_only) {
  fake_host host(pos_entry());
  host.published = 1;
  host.add("", "sentence", {cat_sentence});
  host.model.top["The small grey cat sat on the mat"] = " ,";
  host.run();
  BOOST_TEST(host.rows("prompts.DET").empty());  // the first DET stands at the beginning
  BOOST_TEST(host.column("rows.PUNCT", "prompt")[0] == "The small grey cat sat on the mat");
}

BOOST_AUTO_TEST_CASE(an_answer_with_its_own_blank_is_read_as_that_without_and_keeps_its_text) {
  fake_host host(pos_entry());
  host.add("NOUN", "prompt", {row("by the", " river"), row("by the", "river"), row("by the ", " river")});
  host.run();
  const std::string blank = std::to_string(host.tokenizer.id(" river")),
                    bare = std::to_string(host.tokenizer.id("river"));
  BOOST_TEST(host.column("prompts.NOUN", "gold") == strings({blank, blank, bare}),
             boost::test_tools::per_element());
  BOOST_TEST(host.column("prompts.NOUN", "word") == strings({" river", "river", " river"}),
             boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(paragraphs_that_give_no_prompt_are_listed_and_counted) {
  fake_host host(pos_entry());
  record short_one = row("so", std::nullopt);
  short_one.left_out = "short paragraph";
  host.add("BASELINE", "cut", {row("he looked at", std::nullopt), short_one});
  host.run();
  BOOST_TEST(host.parts("prompts.BASELINE", {"prompt_id", "text", "kept", "reason", "word"}).at(1) ==
             "1|so|0|short paragraph|");
  BOOST_TEST(host.counts.at("BASELINE: short paragraph") == 1U);
}

BOOST_AUTO_TEST_SUITE_END()
