// SPDX-License-Identifier: Apache-2.0
// Model and tokenizer files that are missing, cut, corrupt or something else, and models that do not fit
// their tokenizer: one line that names the file and what to do, the right code, and nothing left behind.
#include "program/demo.hpp"
#include "program/tiny_folder.hpp"

#include <boost/test/unit_test.hpp>

#include <fstream>
#include <string>

BOOST_AUTO_TEST_SUITE(bad_models)

namespace {

using namespace depthlens;
using namespace depthlens::test;

const std::string kRows = R"([{"prompt":"ab","answer":"c"},{"prompt":"abc","answer":"d"}])";

// A run and a trace of the model are refused alike, and the run leaves no tables.
template <class... Parts>
void check_model_refused(const std::string& model, status expected, const Parts&... parts) {
  const scratch_folder folder;
  const std::string rows = folder.write("rows.json", kRows);
  check_refused(
      {"run", "pos", "--model", model, "--out", folder.path() / "run", "--data", "pos.NOUN=" + rows},
      expected, parts...);
  check_no_tables(folder.path());
  check_refused({"trace", "--model", model, "--prompt", "ab"}, expected, parts...);
}

// The first `n` bytes of the demo model.
std::string cut_model(const scratch_folder& folder, std::size_t n) {
  std::ifstream in(demo_model(), std::ios::binary);
  std::string bytes(n, '\0');
  in.read(bytes.data(), static_cast<std::streamsize>(n));
  return folder.write("model.gguf", bytes);
}

}  // namespace

BOOST_AUTO_TEST_CASE(the_tiny_model_of_these_tests_runs_when_nothing_is_broken) {
  const tiny_folder model;
  const scratch_folder folder;
  const std::string rows = folder.write("rows.json", kRows);
  must_work({"run", "pos", "--model", model.path(), "--out", folder.path() / "run", "--data",
             "pos.NOUN=" + rows, "--format", "svg"});
  BOOST_TEST(tables_of(folder.path() / "run").contains("pos_NOUN_logit.csv"));
  must_work({"trace", "--model", model.path(), "--prompt", "ab"});
}

BOOST_AUTO_TEST_CASE(a_missing_model_is_said_and_a_name_gives_the_line_that_fetches_it) {
  check_model_refused("/no/such/model.gguf", status::no_input, "/no/such/model.gguf");
  check_model_refused("no-one/nothing-1b", status::no_input, "hf download no-one/nothing-1b");
}

BOOST_AUTO_TEST_CASE(a_model_that_is_cut_anywhere_is_refused) {
  const scratch_folder folder;
  for (const std::size_t n : {0U, 3U, 10U, 100U, 100000U, 1700000U, 5000000U}) {
    const std::string file = cut_model(folder, n);
    check_model_refused(file, status::data, file);
  }
}

BOOST_AUTO_TEST_CASE(a_model_whose_header_is_corrupt_is_refused) {
  const scratch_folder folder;
  const std::string file = cut_model(folder, 2000000);
  std::string bytes = read_bytes(file);
  for (const std::size_t at : {0U, 4U, 15U, 23U, 31U, 40U}) {
    std::string damaged = bytes;
    damaged[at] = '\x7e';
    folder.write("model.gguf", damaged);
    check_model_refused(file, status::data, file);
  }
}

BOOST_AUTO_TEST_CASE(files_that_are_no_models_are_refused) {
  const scratch_folder folder;
  const std::string text = folder.write("notes.gguf", "these are notes\n");
  check_model_refused(text, status::data, text, "GGUF");
  const std::string other = folder.write("model.bin", "PK\3\4");
  check_model_refused(other, status::data, other);
  std::filesystem::create_directory(folder.path() / "empty");
  check_model_refused(folder.path() / "empty", status::no_input, "empty", "safetensors");
}

BOOST_AUTO_TEST_CASE(a_folder_with_a_part_missing_is_refused_by_the_name_of_the_part) {
  for (const char* part : {"config.json", "model.safetensors", "tokenizer.json"}) {
    const tiny_folder model;
    model.remove(part);
    check_model_refused(model.path(), status::no_input, model.path(), part);
  }
}

BOOST_AUTO_TEST_CASE(a_folder_with_a_part_cut_or_of_another_kind_is_refused_by_the_name_of_the_part) {
  for (const std::string part : {"config.json", "model.safetensors", "tokenizer.json"}) {
    const tiny_folder model;
    const std::string whole = model.content(part);
    for (const std::string& broken :
         {whole.substr(0, whole.size() / 2), whole.substr(0, whole.size() - 1), std::string(),
          std::string("[1,2]"), std::string("\xff\xfe\x00\x01", 4)}) {
      model.write(part, broken);
      check_model_refused(model.path(), status::data, part);
    }
  }
}

BOOST_AUTO_TEST_CASE(a_model_of_an_unknown_kind_is_refused_with_the_kinds_there_are) {
  const tiny_folder model;
  std::string config = model.content("config.json");
  config.replace(config.find("llama"), 5, "lamma");
  model.write("config.json", config);
  check_model_refused(model.path(), status::data, "config.json", "lamma", "llama");
}

BOOST_AUTO_TEST_CASE(a_tokenizer_of_an_unknown_kind_is_refused) {
  const tiny_folder model;
  model.write("tokenizer.json", R"({"model":{"type":"Unigram","vocab":[["a",0.0]]}})");
  check_model_refused(model.path(), status::data, "tokenizer.json", "Unigram");
}

BOOST_AUTO_TEST_CASE(
    a_token_without_a_row_in_the_embedding_is_told_with_both_numbers_and_its_row_is_not_kept) {
  const tiny_folder model(100);
  const scratch_folder folder;
  const std::string good = folder.write("good.json", R"([{"prompt":"ab","answer":"c"}])");
  const std::string rows =
      folder.write("rows.json", R"([{"prompt":"ab","answer":"c"},{"prompt":"axb","answer":"c"},
                                    {"prompt":"ab","answer":"x"}])");
  const words start = {"run", "pos", "--model", model.path(), "--format", "svg", "--out"};
  must_work(start + words{folder.path() / "run", "--data", "pos.NOUN=" + rows});
  const words prompts = lines_of(read_bytes(folder.path() / "run/data/prompts_pos_NOUN.csv"));
  BOOST_REQUIRE_EQUAL(prompts.size(), 4U);
  for (const std::size_t row : {2U, 3U})
    BOOST_TEST(prompts[row].find("no embedding row") != std::string::npos, prompts[row]);
  check_refused({"trace", "--model", model.path(), "--prompt", "axb"}, status::data, "120", "100 rows");
  const outcome o = must_work(start + words{folder.path() / "good", "--data", "pos.NOUN=" + good});
  BOOST_TEST(o.err.find("256 ids but the embedding only 100 rows") != std::string::npos, o.err);
}

BOOST_AUTO_TEST_CASE(more_rows_than_ids_are_reported_and_stay_in_the_softmax) {
  const tiny_folder model(300);
  const outcome o = must_work({"trace", "--model", model.path(), "--prompt", "ab", "--json", "--top", "64"});
  BOOST_TEST(o.err.find("300 rows for 256 token ids") != std::string::npos, o.err);
  // All weights are equal, so every one of the 300 rows has the same share of the probability.
  const auto reading = boost::json::parse(o.out).at("readings").at(0).at("layers").at(0);
  BOOST_TEST(reading.at("top_logprob").at(0).to_number<double>() == -5.703782,
             boost::test_tools::tolerance(1e-5));
  BOOST_TEST(reading.at("ties").to_number<int>() == 299);
}

BOOST_AUTO_TEST_CASE(a_tuned_lens_of_another_model_or_none_is_refused) {
  const tiny_folder model;
  const scratch_folder folder;
  const std::string rows = folder.write("rows.json", kRows);
  const words start = {"run",     "pos",
                       "--model", model.path(),
                       "--out",   folder.path() / "run",
                       "--data",  "pos.NOUN=" + rows,
                       "--lens",  "tuned=" + folder.path().string()};
  check_refused(start, status::no_input, "params.safetensors");
  folder.write("params.safetensors", safetensors_text({{"0.weight", {9, 9}}, {"0.bias", {9}}}));
  check_refused(start, status::data, "params.safetensors", "0.weight", "8");
  folder.write("params.safetensors", "no lens");
  check_refused(start, status::data, "params.safetensors");
  check_no_tables(folder.path() / "run");
}

BOOST_AUTO_TEST_SUITE_END()
