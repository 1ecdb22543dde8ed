// SPDX-License-Identifier: Apache-2.0
// run --tables: what is written beside the CSVs, kept up when a run grows, found when it is altered, and
// refused where no plugin writes it. A plugin in C stands for the real one, so that this needs no Arrow; the
// real one is tried where it was built.
#include "program/c_plugin.hpp"
#include "program/python.hpp"
#include "program/sharded_run.hpp"

#include "depthlens/base/hash.hpp"

#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <filesystem>
#include <fstream>

BOOST_AUTO_TEST_SUITE(forms_of_tables)

namespace {

using namespace depthlens;
using namespace depthlens::test;
namespace fs = std::filesystem;
using boost::unit_test::precondition;

// Writes the form, what it is told of the table and the CSV itself. With FAIL in the environment it fails
// behind the first bytes.
constexpr const char* plugin_text = R"(
#include <depthlens/abi/plugin.h>
#include <depthlens/abi/tables.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
static dlens_status text(const dlens_output *to, const char *s, dlens_error *e) {
  return to->write(to, s, strlen(s), e);
}
static dlens_status write(const char *form, const dlens_csv_table *t, const dlens_output *to,
                          dlens_error *e) {
  dlens_status s = text(to, form, e);
  for (uint64_t i = 0; s == DLENS_OK && i < t->n_columns; ++i) {
    char line[400];
    const dlens_column *c = t->columns[i];
    snprintf(line, sizeof line, "\n%u %.100s: %.200s", c->type, c->id, c->help);
    s = text(to, line, e);
  }
  for (uint64_t i = 0; s == DLENS_OK && i < t->n_about; ++i) {
    char line[400];
    snprintf(line, sizeof line, "\n%.*s=%.*s", (int)t->about[i].key.size, t->about[i].key.data,
             (int)t->about[i].value.size, t->about[i].value.data);
    s = text(to, line, e);
  }
  if (s == DLENS_OK && getenv("FAIL") != NULL) {
    snprintf(e->message, sizeof e->message, "it fails when it is told to");
    return DLENS_IO;
  }
  FILE *csv = fopen(t->file, "r");
  char bytes[1000];
  for (size_t n; s == DLENS_OK && (n = fread(bytes, 1, sizeof bytes, csv)) > 0;)
    s = to->write(to, bytes, n, e);
  fclose(csv);
  return s;
}
static const char *const forms[] = {"parquet", NULL};
static const dlens_tables tables = {sizeof(dlens_tables), 0, forms, &write};
static const void *interface_of(const char *id) {
  return strcmp(id, DLENS_TABLES_INTERFACE) == 0 ? &tables : NULL;
}
static const dlens_plugin plugin = {sizeof plugin, DLENS_ABI_MAJOR, DLENS_ABI_MINOR, "tables.arrow", "1",
                                    "a test", "Apache-2.0", "cc", NULL, NULL, interface_of, 0, 0, 0};
const dlens_plugin *dlens_entry_v1(void) { return &plugin; }
)";

const sharded_run& tiny() {
  static const sharded_run once(40);
  return once;
}

// It goes before the program's own, where that was built.
const std::string& plugin_folder() {
  static const scratch_folder folder;
  static const std::string path = [] {
    build_c_plugin(folder, folder.write("tables.c", plugin_text), "tables-arrow.so");
    return folder.path().string();
  }();
  return path;
}

words with_forms(const std::string& out, const std::string& forms = "csv,parquet") {
  return tiny().run(out) + words{"--plugin-path", plugin_folder(), "--tables", forms};
}

std::map<std::string, std::string> files_of(const fs::path& run, const std::string& ending) {
  std::map<std::string, std::string> out = tables_of(run);
  std::erase_if(out, [&](const auto& file) { return !file.first.ends_with(ending); });
  return out;
}

// Each CSV has its file in the form, which is the one that run.json notes.
void check_complete(const fs::path& run, const std::string& form = "parquet") {
  const auto csvs = files_of(run, ".csv"), files = files_of(run, "." + form);
  BOOST_TEST(!csvs.empty());
  BOOST_TEST(files.size() == csvs.size());
  const boost::json::object noted = manifest_of(run).at("outputs").as_object();
  for (const auto& [name, bytes] : files) {
    BOOST_TEST(csvs.contains(fs::path(name).stem().string() + ".csv"), name);
    BOOST_REQUIRE_MESSAGE(noted.contains("data/" + name), name << " is not noted in run.json");
    BOOST_TEST((noted.at("data/" + name).at("sha256").as_string() == sha256(bytes)), name);
  }
}

// The program where no plugin writes tables, with the other plugins that the tests need.
class bare_program {
 public:
  bare_program() {
    const fs::path from = fs::path(program()).parent_path().parent_path() / "lib/depthlens/plugins",
                   to = folder_.path() / "lib/depthlens/plugins";
    fs::create_directories(folder_.path() / "bin");
    fs::create_directories(to);
    fs::copy_file(program(), folder_.path() / "bin/depthlens");
    for (const char* name : {"backend-cpu.so", "experiment-facts.so", "experiment-early-exit.so"})
      fs::copy_file(from / name, to / name);
  }
  outcome says(const words& command) const { return run(words{folder_.path() / "bin/depthlens"} + command); }

 private:
  scratch_folder folder_;
};

bool says(const outcome& o, const std::string& part) { return o.err.find(part) != std::string::npos; }

struct built_plugin {
  boost::test_tools::assertion_result operator()(boost::unit_test::test_unit_id) const {
    const fs::path file =
        fs::path(program()).parent_path().parent_path() / "lib/depthlens/plugins/tables-arrow.so";
    boost::test_tools::assertion_result result(fs::exists(file));
    if (!result) result.message() << "depthlens was built without Arrow";
    return result;
  }
};
struct with_readers {
  boost::test_tools::assertion_result operator()(boost::unit_test::test_unit_id) const {
    boost::test_tools::assertion_result result(python_runs("import pandas, pyarrow, polars, duckdb"));
    if (!result) result.message() << python() << " lacks one of pandas, pyarrow, polars and duckdb";
    return result;
  }
};

}  // namespace

BOOST_AUTO_TEST_CASE(a_form_asked_for_later_is_the_same_and_changes_no_csv) {
  must_work(with_forms("at-once"));
  check_complete(tiny().path("at-once"));
  must_work(tiny().run("plain"));
  const auto csvs = tables_of(tiny().path("plain"));
  check_same_tables(files_of(tiny().path("at-once"), ".csv"), csvs);
  words later = tiny().run("plain") + words{"--plugin-path", plugin_folder(), "--tables", "parquet"};
  *(std::find(later.begin(), later.end(), "--threads") + 1) = "1";
  const outcome o = must_work(later);
  BOOST_TEST(says(o, " 0 records in"), o.err);
  BOOST_TEST(!says(o, "nothing new"), o.err);
  check_same_tables(tables_of(tiny().path("plain")), tables_of(tiny().path("at-once")));
  BOOST_TEST(says(must_work(with_forms("plain")), "nothing new"));
}

BOOST_AUTO_TEST_CASE(the_plugin_is_told_columns_their_meaning_and_what_the_table_is_of) {
  must_work(with_forms("told"));
  const fs::path data = tiny().path("told") / "data";
  const std::string text = read_bytes(data / "facts_logit.parquet"),
                    csv = read_bytes(data / "facts_logit.csv");
  BOOST_TEST(text.starts_with("parquet\n1 prompt_id: "), text.substr(0, 200));
  for (const std::string& line :
       {cat("\ndepthlens.csv_sha256=", sha256(csv), "\n"), std::string("\ndepthlens.lens=logit\n"),
        std::string("\ndepthlens.experiment=facts\n"), std::string("\ndepthlens.mode=default\n")})
    BOOST_TEST(text.find(line.substr(0, line.size() - 1)) != std::string::npos, line);
  BOOST_TEST(text.ends_with(csv));
  BOOST_TEST(read_bytes(data / "prompts_facts.parquet").find("depthlens.lens") == std::string::npos);
}

BOOST_AUTO_TEST_CASE(a_run_that_grows_keeps_its_forms_up_without_being_told) {
  must_work(with_forms("whole"));
  must_work(with_forms("grown") + words{"--limit", "10"});
  must_work(tiny().run("grown") + words{"--plugin-path", plugin_folder()});
  check_same_tables(tables_of(tiny().path("grown")), tables_of(tiny().path("whole")));
  check_complete(tiny().path("grown"));
}

BOOST_AUTO_TEST_CASE(no_stale_file_is_left_where_the_plugin_is_gone) {
  const bare_program bare;
  must_work(with_forms("gone") + words{"--limit", "10"});
  const auto before = tables_of(tiny().path("gone"));
  const outcome same = bare.says(tiny().run("gone") + words{"--limit", "10"});
  BOOST_TEST(same.code == 0, same.err);
  check_same_tables(tables_of(tiny().path("gone")), before);
  const outcome grown = bare.says(tiny().run("gone"));
  BOOST_TEST(grown.code == 0, grown.err);
  BOOST_TEST(says(grown, "tables as parquet that are not up to date are removed"), grown.err);
  BOOST_TEST(files_of(tiny().path("gone"), ".parquet").empty());
  BOOST_TEST(must_work({"verify", tiny().path("gone"), "--rows", "0"}).code == 0);
  must_work(with_forms("gone"));
  check_complete(tiny().path("gone"));
}

BOOST_AUTO_TEST_CASE(an_edited_run_json_leads_to_no_file_outside_of_the_run) {
  must_work(with_forms("edited") + words{"--limit", "10"});
  const fs::path run = tiny().path("edited"), other = tiny().path("others.parquet");
  std::ofstream(other) << "of others";
  boost::json::object manifest = manifest_of(run);
  manifest.at("tables").as_object().at("facts").as_object().at("logit").as_array().emplace_back(
      "../../others.csv");
  std::ofstream(run / "run.json") << boost::json::serialize(manifest);
  must_work(with_forms("edited"));
  check_complete(run);
  BOOST_TEST(read_bytes(other) == "of others");
}

BOOST_AUTO_TEST_CASE(an_altered_file_is_found_and_made_again_alone) {
  must_work(with_forms("altered"));
  const fs::path run = tiny().path("altered"), file = run / "data/facts_logit.parquet";
  const auto before = tables_of(run);
  std::ofstream(file, std::ios::app) << "x";
  BOOST_TEST(depthlens_says({"verify", run, "--rows", "0"}).code == 65);
  const outcome o = must_work(tiny().run("altered") + words{"--plugin-path", plugin_folder()});
  BOOST_TEST(says(o, "made again: data/facts_logit.parquet"), o.err);
  BOOST_TEST(says(o, "1 table is there as parquet"), o.err);
  check_same_tables(tables_of(run), before);
  fs::remove(file);
  must_work(with_forms("altered"));
  check_same_tables(tables_of(run), before);
  std::ofstream(run / "data/facts_logit.csv", std::ios::app) << "x";
  must_work(with_forms("altered"));
  check_same_tables(tables_of(run), before);
}

BOOST_AUTO_TEST_CASE(merged_shards_have_the_forms_that_were_planned_or_asked_for) {
  must_work(with_forms("one"));
  for (const char* shard : {"2/2", "1/2"})
    must_work(tiny().shard("planned", shard) +
              words{"--plugin-path", plugin_folder(), "--tables", "parquet"});
  must_work({"merge", tiny().path("planned")});
  check_same_tables(tables_of(tiny().path("planned")), tables_of(tiny().path("one")));
  for (const char* shard : {"1/2", "2/2"})
    must_work(tiny().shard("asked", shard) + words{"--plugin-path", plugin_folder()});
  must_work({"merge", tiny().path("asked"), "--tables", "csv,parquet"});
  check_same_tables(tables_of(tiny().path("asked")), tables_of(tiny().path("one")));
  check_complete(tiny().path("asked"));
}

BOOST_AUTO_TEST_CASE(a_file_that_fails_on_its_way_is_not_there_and_the_run_goes_on_from_it) {
  surroundings s;
  s.environment["FAIL"] = "1";
  const outcome o = run(words{program()} + with_forms("failed"), s);
  BOOST_TEST(o.code == 74, o.err);
  BOOST_TEST(says(o, "it fails when it is told to"), o.err);
  BOOST_TEST(files_of(tiny().path("failed"), ".parquet").empty());
  BOOST_TEST(!files_of(tiny().path("failed"), ".csv").empty());
  const outcome again = must_work(with_forms("failed"));
  BOOST_TEST(says(again, " 0 records in"), again.err);
  check_complete(tiny().path("failed"));
}

BOOST_AUTO_TEST_CASE(forms_that_there_are_not_and_those_that_no_plugin_writes_are_refused_before_any_work) {
  for (const char* list : {"csv,xls", "", "Parquet", "csv,,arrow"})
    check_refused(tiny().run("refused") + words{"--tables", list}, status::usage,
                  "expected csv, parquet or arrow");
  const bare_program bare;
  const outcome o = bare.says(tiny().run("refused") + words{"--tables", "csv,parquet"});
  BOOST_TEST(o.code == 69, o.err);
  BOOST_TEST(says(o, "tables cannot be written as parquet"), o.err);
  BOOST_TEST(says(o, "share/get-arrow.sh"), o.err);
  BOOST_TEST(lines_of(o.err).size() == 1U, o.err);
  BOOST_TEST(!fs::exists(tiny().path("refused")));
  const scratch_folder broken;
  broken.write("tables-arrow.so", "no library");
  const outcome damaged =
      bare.says(tiny().run("refused") + words{"--plugin-path", broken.path(), "--tables", "parquet"});
  BOOST_TEST(damaged.code == 69, damaged.err);
  BOOST_TEST(says(damaged, "not a shared library"), damaged.err);
  BOOST_TEST(!fs::exists(tiny().path("refused")));
}

BOOST_AUTO_TEST_CASE(the_real_files_are_the_same_whatever_the_threads, *precondition(built_plugin())) {
  const words forms{"--tables", "csv,parquet,arrow"};
  must_work(tiny().run("real") + forms);
  words other = tiny().run("real-again") + forms + words{"--pack-tokens", "20"};
  *(std::find(other.begin(), other.end(), "--threads") + 1) = "1";
  must_work(other);
  check_same_tables(tables_of(tiny().path("real-again")), tables_of(tiny().path("real")));
  for (const char* form : {"parquet", "arrow"}) {
    check_complete(tiny().path("real"), form);
    const std::string mark = std::string_view(form) == "arrow" ? "ARROW1" : "PAR1";
    for (const auto& [name, bytes] : files_of(tiny().path("real"), cat(".", form)))
      BOOST_TEST((bytes.starts_with(mark) && bytes.ends_with(mark)), name);
  }
  BOOST_TEST(must_work({"verify", tiny().path("real"), "--rows", "5"}).code == 0);
}

BOOST_AUTO_TEST_CASE(pandas_polars_and_duckdb_read_the_values_of_the_csvs,
                     *precondition(built_plugin()) * precondition(with_readers())) {
  const scratch_folder folder;
  const small_data data(8);
  const words forms{"--format", "svg", "--tables", "parquet,arrow"};
  must_work(data.all() + words{"--out", folder.path() / "my-run"} + forms);
  must_work(data.all() + words{"--out", folder.path() / "published", "--seed-compat"} + forms);
  const outcome o = run({python(), "-B", source_tree() / "tests/python/table_forms_test.py"},
                        {.environment = {{"DEPTHLENS_TEST_RUNS", folder.path()}}, .folder = folder.path()});
  BOOST_TEST(o.code == 0, o.err);
  BOOST_TEST(o.err.ends_with("\nOK\n"), o.err);  // none was skipped
}

BOOST_AUTO_TEST_SUITE_END()
