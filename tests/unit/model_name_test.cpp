// SPDX-License-Identifier: Apache-2.0
// Names of models: paths, and repositories in a Hugging Face cache laid out in a scratch folder.
#include "depthlens/model/model_name.hpp"

#include <boost/test/unit_test.hpp>
#include <filesystem>
#include <map>
#include <string>

#include "support/model_bytes.hpp"

using namespace depthlens;
using depthlens::test::fails_with;
using depthlens::test::write_below;

namespace {

const std::string commit_a(40, 'a');
const std::string commit_b(40, 'b');

environment variables(std::map<std::string, std::string> values) {
  return [values = std::move(values)](const std::string& name) {
    const auto at = values.find(name);
    return at == values.end() ? std::string() : at->second;
  };
}

// org/tiny with complete snapshots a (main) and b (pull request 1); one/ggufs with two files; solo with one.
struct cache {
  test::scratch_folder folder;
  environment env = variables({{"HF_HUB_CACHE", folder.path().string()}});

  cache() {
    write_below(folder, "models--org--tiny/refs/main", commit_a);
    write_below(folder, "models--org--tiny/refs/refs/pr/1", commit_b + "\n");
    for (const std::string& commit : {commit_a, commit_b}) {
      write_below(folder, "models--org--tiny/snapshots/" + commit + "/config.json", "{}");
      write_below(folder, "models--org--tiny/snapshots/" + commit + "/model.safetensors", "");
    }
    write_below(folder, "models--one--ggufs/refs/main", commit_a);
    write_below(folder, "models--one--ggufs/snapshots/" + commit_a + "/x-Q4_1.gguf", "");
    write_below(folder, "models--one--ggufs/snapshots/" + commit_a + "/x-Q8_0.gguf", "");
    write_below(folder, "models--solo/refs/main", commit_a);
    write_below(folder, "models--solo/snapshots/" + commit_a + "/x.gguf", "");
  }
  bool misses(const std::string& name, std::string_view part) const {
    return fails_with(status::no_input, part, [&] { resolve_model(name, env); });
  }
};

}  // namespace

BOOST_AUTO_TEST_SUITE(model_name_resolution)

BOOST_AUTO_TEST_CASE(an_existing_path_is_taken_as_it_is) {
  const test::scratch_folder folder;
  const auto file = folder.write("m.gguf", "");
  BOOST_TEST(resolve_model(file.string()).path == file);
  BOOST_TEST(resolve_model(file.string()).repo.empty());
  const test::scratch_folder other;
  BOOST_TEST(resolve_model(other.path().string()).path == other.path());
}

BOOST_AUTO_TEST_CASE(names_are_taken_apart) {
  const depthlens::model_name plain = parse_model_name("gpt2");
  BOOST_TEST(plain.repo == "gpt2");
  BOOST_TEST(plain.revision == "main");
  BOOST_TEST(plain.file.empty());
  const depthlens::model_name full = parse_model_name("org/na.me-1_x@refs/pr/1:sub/f-Q8_0.gguf");
  BOOST_TEST(full.repo == "org/na.me-1_x");
  BOOST_TEST(full.revision == "refs/pr/1");
  BOOST_TEST(full.file == "sub/f-Q8_0.gguf");
}

BOOST_AUTO_TEST_CASE(texts_that_are_no_names_are_no_input) {
  for (const char* text : {"", "a/b/c", "/abs", "../up", "a/..", "a//b", "a/", "a b", "a@", "a@../x", "a:",
                           "a:x.bin", "a:../x.gguf", "a:/x.gguf", "--help", "model.gguf", "a;b", "a$b"}) {
    BOOST_TEST(fails_with(status::no_input, "no such file or folder", [&] { parse_model_name(text); }), text);
  }
}

BOOST_AUTO_TEST_CASE(branches_pull_requests_and_commits_lead_to_snapshots) {
  const cache c;
  const model_location main = resolve_model("org/tiny", c.env);
  BOOST_TEST(main.commit == commit_a);
  BOOST_TEST(main.repo == "org/tiny");
  BOOST_TEST(main.path == c.folder.path() / "models--org--tiny" / "snapshots" / commit_a);
  BOOST_TEST(resolve_model("org/tiny@refs/pr/1", c.env).commit == commit_b);
  BOOST_TEST(resolve_model("org/tiny@" + commit_b, c.env).commit == commit_b);
}

BOOST_AUTO_TEST_CASE(files_of_a_repository_are_named_after_a_colon) {
  const cache c;
  BOOST_TEST(resolve_model("one/ggufs:x-Q8_0.gguf", c.env).path.filename() == "x-Q8_0.gguf");
  BOOST_TEST(resolve_model("solo", c.env).path.filename() == "x.gguf");
  BOOST_TEST(c.misses("one/ggufs", "name one of them, e.g. one/ggufs:x-Q4_1.gguf"));
  BOOST_TEST(c.misses("one/ggufs:y.gguf", "run: hf download one/ggufs y.gguf"));
}

BOOST_AUTO_TEST_CASE(what_is_missing_is_told_with_the_line_that_downloads_it) {
  const cache c;
  BOOST_TEST(c.misses("no/where", "run: hf download no/where"));
  BOOST_TEST(c.misses("org/tiny@v2", "run: hf download org/tiny --revision v2"));
  BOOST_TEST(c.misses("no/where@v2:m.gguf", "run: hf download no/where m.gguf --revision v2"));
}

BOOST_AUTO_TEST_CASE(an_incomplete_download_is_told_with_the_file_that_is_missing) {
  const cache c;
  const std::string snapshot = "models--half/snapshots/" + commit_a;
  write_below(c.folder, "models--half/refs/main", commit_a);
  write_below(c.folder, snapshot + "/tokenizer.json", "{}");
  BOOST_TEST(c.misses("half", "incomplete, 'config.json' is missing; run: hf download half"));
  write_below(c.folder, snapshot + "/config.json", "{}");
  BOOST_TEST(c.misses("half", "'model.safetensors' is missing"));
  write_below(c.folder, snapshot + "/model.safetensors.index.json",
              R"({"weight_map":{"x":"s-1.safetensors"}})");
  BOOST_TEST(c.misses("half", "'s-1.safetensors' is missing"));
  write_below(c.folder, snapshot + "/s-1.safetensors", "");
  BOOST_CHECK_NO_THROW(resolve_model("half", c.env));
}

BOOST_AUTO_TEST_CASE(a_download_that_was_not_finished_is_told) {
  const cache c;
  write_below(c.folder, "models--half/refs/main", commit_a);
  write_below(c.folder, "models--half/snapshots/" + commit_a + "/config.json", "{}");
  write_below(c.folder, "models--half/blobs/abc.incomplete", std::string(3'000'000, 'x'));
  BOOST_TEST(
      c.misses("half", "the download of 1 file was not finished (3 MB so far); run: hf download half"));
  write_below(c.folder, "models--begun/blobs/abc.incomplete", "");
  BOOST_TEST(c.misses("begun", "the download of 1 file was not finished"));
  const test::scratch_folder local;
  write_below(local, "x/config.json", "{}");
  write_below(local, "x/.cache/huggingface/download/y.incomplete", "");
  BOOST_TEST(
      c.misses((local.path() / "x").string(), "has no weights, the download of 1 file was not finished"));
}

BOOST_AUTO_TEST_CASE(a_cache_that_does_not_say_which_commit_a_branch_is_names_those_there_are) {
  const cache c;
  write_below(c.folder, "models--org--bare/snapshots/" + commit_b + "/config.json", "{}");
  write_below(c.folder, "models--org--bare/snapshots/" + commit_b + "/model.safetensors", "");
  BOOST_TEST(c.misses("org/bare", "no refs/main"));
  BOOST_TEST(c.misses("org/bare", "name the commit: org/bare@" + commit_b));
  BOOST_TEST(resolve_model("org/bare@" + commit_b, c.env).commit == commit_b);
}

BOOST_AUTO_TEST_CASE(a_folder_with_one_gguf_is_that_model_and_one_of_several_is_asked_for) {
  const cache c;
  const test::scratch_folder folder;
  const auto first = write_below(folder, "g/a-Q4_1.gguf", "");
  const std::string g = (folder.path() / "g").string();
  BOOST_TEST(resolve_model(g, c.env).path == first);
  BOOST_TEST(resolve_model(g + "/", c.env).path.filename() == "a-Q4_1.gguf");
  write_below(folder, "g/a-Q8_0.gguf", "");
  BOOST_TEST(
      c.misses(g, "name one of them, e.g. " + g + "/a-Q4_1.gguf (there are: a-Q4_1.gguf, a-Q8_0.gguf)"));
  write_below(folder, "g/model.safetensors", "");
  BOOST_TEST(resolve_model(g, c.env).path == g);
}

BOOST_AUTO_TEST_CASE(the_parts_of_a_split_model_are_told_with_the_line_that_merges_them) {
  const cache c;
  const test::scratch_folder folder;
  write_below(folder, "g/m-00001-of-00002.gguf", "");
  write_below(folder, "g/m-00002-of-00002.gguf", "");
  const std::string g = (folder.path() / "g").string();
  BOOST_TEST(fails_with(status::data, "in 2 parts", [&] { resolve_model(g, c.env); }));
  BOOST_TEST(fails_with(status::data, "llama-gguf-split --merge " + g + "/m-00001-of-00002.gguf WHOLE.gguf",
                        [&] { resolve_model(g, c.env); }));
}

BOOST_AUTO_TEST_CASE(a_reference_that_is_no_commit_is_not_followed) {
  const cache c;
  write_below(c.folder, "models--bad/refs/main", "../../../../etc");
  BOOST_TEST(c.misses("bad", "run: hf download bad"));
}

BOOST_AUTO_TEST_CASE(the_cache_folder_follows_the_variables_in_their_order) {
  const auto folder = [](std::map<std::string, std::string> values) {
    values.emplace("HOME", "/h");
    return hf_cache_folder(variables(std::move(values))).string();
  };
  BOOST_TEST(folder({}) == "/h/.cache/huggingface/hub");
  BOOST_TEST(folder({{"XDG_CACHE_HOME", "/x"}}) == "/x/huggingface/hub");
  BOOST_TEST(folder({{"XDG_CACHE_HOME", "/x"}, {"HF_HOME", "/y"}}) == "/y/hub");
  BOOST_TEST(folder({{"HF_HOME", "/y"}, {"HUGGINGFACE_HUB_CACHE", "/z"}}) == "/z");
  BOOST_TEST(folder({{"HF_HUB_CACHE", "/w"}, {"HUGGINGFACE_HUB_CACHE", "/z"}}) == "/w");
  BOOST_TEST(folder({{"HF_HUB_CACHE", ""}, {"HF_HOME", "~/hf"}}) == "/h/hf/hub");
  BOOST_TEST(folder({{"HF_HOME", "$HOME/a/${HOME}b/$NONE/$"}}) == "/h/a//hb/$NONE/$/hub");
}

BOOST_AUTO_TEST_SUITE_END()
