// SPDX-License-Identifier: Apache-2.0
// Writes the seeds of all fuzz targets below a folder: fuzz-seeds DIR. Those of the data readers are here.
#include "fuzz/seeds/seeds.hpp"

#include "log/record_log.hpp"

#define BOOST_TEST_MODULE fuzz_seeds
#define BOOST_TEST_NO_MAIN
#include <boost/test/unit_test.hpp>

#include <fstream>
#include <iostream>
#include <stdexcept>

namespace depthlens::fuzz {

void put_seed(const std::filesystem::path& dir, const std::string& name, std::string_view bytes) {
  const auto path = dir / name;
  std::filesystem::create_directories(path.parent_path());
  std::ofstream file(path, std::ios::binary | std::ios::trunc);
  file.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  if (!file.flush()) throw std::runtime_error("cannot write " + path.string());
}

std::string block(std::string_view bytes) {
  std::string out{static_cast<char>(bytes.size()), static_cast<char>(bytes.size() >> 8)};
  return out.append(bytes);
}

namespace {

void write_json(const std::filesystem::path& dir) {
  put_seed(dir, "json_rows/rows",
           R"([{"prompt":"The sea","answer":" is","text":"The sea is","set":"X","n":-1},
 {"prompt":"\u00e9\ud83d\ude00","answer":null,"b":true,"list":[1,2.5e3,{}]}])");
  put_seed(dir, "json_rows/lines", "{\"prompt\":\"a\",\"answer\":\"b\"}\r\n\n{\"prompt\":\"c\"}\n");
  put_seed(dir, "json_rows/mquake",
           R"([{"case_id":1,"single_hops":[{"cloze":"A is in","answer":"B"},{"cloze":""}]},
{"case_id":2,"single_hops":[]}])");
  put_seed(dir, "json_rows/counterfact",
           R"([{"case_id":0,"requested_rewrite":{"prompt":"{} is in","relation_id":"P1","subject":"A",)"
           R"("target_true":{"str":"B","id":"Q1"},"target_new":{"str":"C"}}}])");
  put_seed(dir, "json_rows/choices",
           R"([{"prompt":"A. x B. y It is","choices":["x","y"],"answer":"B"},)"
           R"({"prompt":"p","options":[1,2],"answer":2},
{"question":"q","choices":{"text":["x","y"],"label":["1","2"]},"answerKey":"2"}])");
  put_seed(dir, "json_rows/counts", R"({"278": {"token": "the", "count": 81, "ratio": 0.04},
"1": {"token": " \n", "count": 0, "ratio": 1e-3}})");
}

void write_text(const std::filesystem::path& dir) {
  const auto line = [](const char* id, const char* form, const char* tag, const char* misc) {
    return std::string(id) + '\t' + form + "\t_\t" + tag + "\t_\t_\t_\t_\t_\t" + misc + '\n';
  };
  const std::string first = line("1-2", "Don't", "_", "_") + line("1", "Do", "AUX", "_") +
                            line("2", "n't", "PART", "_") + line("2.1", "you", "PRON", "_") +
                            line("3", "go", "VERB", "SpaceAfter=No|x=y") + line("4", "!", "PUNCT", "_") +
                            '\n';
  put_seed(dir, "conllu/text",
           "# newdoc id = d\n# newpar\n# text = Don't go!\n" + first + "# newpar id = p\n" + first);
  put_seed(dir, "conllu/bare", first + first + "# x\r\n" + first);
  put_seed(dir, "conllu/prose",
           "A first paragraph of plain text that\ngoes on.\n\n  The second one is here to be cut.\n");
  put_seed(dir, "csv/table", "id,text\n1,\"a \"\"b\"\", c\"\n2,\r\n\n\"3\",\"two\nlines\"");
  put_seed(dir, "csv/prompts", "prompt,answer,text,set\nThe sea, is,The sea is.,X\n\"a\nb\",,,\n");
  put_seed(dir, "csv/tabs", "answer\tprompt\nb\t\"a\tc\"\n");
  put_seed(dir, "csv/quoted_mark", "\"\xEF\xBB\xBF\"\na\n");
  put_seed(dir, "csv/escapes", "x\n\\x41 \\\\x \\xff\xC3\xA9\n\"\"\n");
}

void write_log(const std::filesystem::path& dir) {
  const std::string word = "text";
  const dlens_value values[] = {{DLENS_I64, 0, {.i64 = -5}},
                                {DLENS_F64, 0, {.f64 = 0.5}},
                                {DLENS_F32, 0, {.f64 = 2.0}},
                                {DLENS_TEXT, 0, {.text = {word.data(), word.size()}}},
                                {DLENS_NULL, 0, {.i64 = 0}}};
  entry_writer writer({"s", 7, 9});
  writer.row("t", values, 5);
  writer.row("", values, 0);
  writer.count("s", "boundary", 3);
  const std::string payload = writer.take();
  put_seed(dir, "record_log/entries", block(payload) + block(entry_writer({"a", 1, 2}).take()));
  put_seed(dir, "record_log/entry", payload);
  const auto path = std::filesystem::temp_directory_path() / "depthlens-seed.log";
  std::filesystem::remove(path);
  record_log(path, [](std::string_view) {}).append({"s", 7, 9}, payload);
  std::ifstream file(path, std::ios::binary);
  put_seed(dir, "record_log/file", std::string(std::istreambuf_iterator<char>(file), {}));
  std::filesystem::remove(path);
}

}  // namespace
}  // namespace depthlens::fuzz

int main(int argc, char** argv) {
  if (argc != 2) {
    std::cerr << "usage: fuzz-seeds DIR\n";
    return 64;
  }
  using namespace depthlens::fuzz;
  write_model_seeds(argv[1]);
  write_tokenizer_seeds(argv[1]);
  write_torch_seeds(argv[1]);
  write_json(argv[1]);
  write_text(argv[1]);
  write_log(argv[1]);
}
