// SPDX-License-Identifier: Apache-2.0
// depthlens report: a page holds all of a run that it promises, nothing that a browser would fetch or run but
// its own script, and the same bytes each time.
#include "html/html_text.hpp"
#include "program/sharded_run.hpp"

#include <boost/test/unit_test.hpp>

#include <filesystem>
#include <fstream>
#include <set>
#include <string>
#include <string_view>
#include <utility>

BOOST_AUTO_TEST_SUITE(reports_of_runs)

namespace {

using namespace depthlens;
using namespace depthlens::test;
namespace fs = std::filesystem;

const sharded_run& tiny() {
  static const sharded_run once(24);
  return once;
}

// Facts and early exits on a tiny model, beside their null.
const fs::path& finished() {
  static const fs::path once = [] {
    must_work(tiny().run("done") + words{"--null", "mean", "--facts.failures", "true"});
    return tiny().path("done");
  }();
  return once;
}

// A copy of it that may be altered; run.json is `manifest`, where that is given.
class altered_run {
 public:
  altered_run() {
    fs::copy(finished(), path(), fs::copy_options::recursive);
    fs::remove(path() / "report.html");
  }
  explicit altered_run(const boost::json::object& manifest) : altered_run() {
    folder_.write("run/run.json", boost::json::serialize(manifest));
  }
  fs::path path() const { return folder_.path() / "run"; }

 private:
  scratch_folder folder_;
};

std::string report_of(const fs::path& run) {
  const outcome o = must_work({"report", run});
  BOOST_TEST(o.out == (run / "report.html").string() + "\n");
  return read_bytes(run / "report.html");
}

std::size_t count_of(const std::string& page, const std::string& part) {
  std::size_t n = 0;
  for (std::size_t at = page.find(part); at != std::string::npos; at = page.find(part, at + 1)) ++n;
  return n;
}

// What stands between `begin` and the next `end`, each time.
std::set<std::string> all_between(const std::string& page, const std::string& begin, const std::string& end) {
  std::set<std::string> out;
  for (std::size_t at = page.find(begin); at != std::string::npos; at = page.find(begin, at + 1)) {
    const std::size_t from = at + begin.size();
    out.insert(page.substr(from, page.find(end, from) - from));
  }
  return out;
}

void check_holds(const std::string& page, const std::string& part) {
  BOOST_TEST((page.find(part) != std::string::npos), "the page lacks: " << part);
}

// All tags of a page, without what stands in quotes.
std::string bare_tags(const std::string& page) {
  std::string out;
  bool in_tag = false, quoted = false;
  for (const char c : page) {
    if (!in_tag && c == '<') in_tag = true;
    if (in_tag && c == '"') quoted = !quoted;
    if (in_tag && !quoted) out += c;
    if (!quoted && c == '>') in_tag = false;
  }
  return out;
}

// The page but for its own style and script.
std::string without_style_and_script(std::string page) {
  for (const auto& [begin, end] :
       {std::pair<std::string, std::string>{"<style>", "</style>"}, {"<script>", "</script>"}}) {
    const std::size_t from = page.find(begin);
    BOOST_TEST_REQUIRE(from != std::string::npos);
    page.erase(from, page.find(end, from) + end.size() - from);
  }
  return page;
}

// Nothing to fetch, and no script but one.
void check_asks_nothing(const std::string& page) {
  BOOST_TEST(count_of(page, "<script") == 1U);
  BOOST_TEST(count_of(page, "</script") == 1U);
  std::string rest = without_style_and_script(page);
  const std::string icon = "<link rel=\"icon\" href=\"data:,\">";  // so that no browser asks for one
  BOOST_TEST_REQUIRE(rest.find(icon) != std::string::npos);
  rest.erase(rest.find(icon), icon.size());
  const std::string tags = bare_tags(rest);
  for (const char* asks : {" src=", " srcset=", " style=", " on", "<link", "<img", "<iframe", "<object",
                           "<embed", "<base", "<form", "<use", "<image", "xlink"})
    BOOST_TEST(tags.find(asks) == std::string::npos, "the page has " << asks);
  for (const std::string& target : all_between(rest, " href=\"", "\""))
    BOOST_TEST(target.starts_with("#"), target);
  for (const char* asks :
       {"@import", "url(", "fetch(", "XMLHttp", "WebSocket", "import(", "innerHTML", "eval("})
    BOOST_TEST(page.find(asks) == std::string::npos, "the page holds " << asks);
}

boost::test_tools::assertion_result with_chromium(boost::unit_test::test_unit_id) {
  boost::test_tools::assertion_result found(run({"chromium", "--version"}).code == 0);
  if (!found) found.message() << "there is no chromium";
  return found;
}

}  // namespace

BOOST_AUTO_TEST_CASE(every_figure_and_every_summary_table_is_on_the_page_and_no_table_of_rows) {
  const std::string page = report_of(finished());
  const boost::json::object m = manifest_of(finished());
  std::size_t figures = 0;
  for (const auto& [stem, figure] : m.at("figures").as_object()) {
    if (figure.as_object().contains("on_request")) continue;  // a further view of what others show
    figures += figure.as_object().contains("control") && figure.at("figure").at("kind") != "density" ? 2 : 1;
    check_holds(page, isolated(std::string_view(figure.at("figure").at("title").as_string())));
  }
  BOOST_TEST(figures >= 6U);
  BOOST_TEST(count_of(page, "<figure id=") == figures);
  BOOST_TEST(count_of(page, "<svg class=\"panel") >= figures);
  BOOST_TEST(all_between(page, " id=\"", "\"").size() == count_of(page, " id=\""));  // no id twice
  const std::set<std::string> tables = all_between(page, "<summary><code>", "</code>");
  std::set<std::string> wanted;
  for (const auto& [study, lenses] : m.at("summary_tables").as_object())
    for (const auto& [lens, names] : lenses.as_object())
      for (const auto& name : names.as_array()) wanted.emplace(name.as_string());
  BOOST_TEST(tables == wanted, boost::test_tools::per_element());
  for (const char* name :
       {"earliest_layer_facts_logit.csv", "layers_facts_logit-null.csv", "early_exit_sweep_logit.csv"})
    BOOST_TEST(tables.contains(name), name);
  for (const char* name : {"facts_logit.csv", "prompts_facts.csv", "early-exit_logit.csv"})
    BOOST_TEST(!tables.contains(name), name);
}

BOOST_AUTO_TEST_CASE(the_page_says_what_was_run_on_which_data_and_by_which_command) {
  const std::string page = report_of(finished());
  const boost::json::object m = manifest_of(finished());
  const auto& key = m.at("key");
  for (const auto& hash : {key.at("model_sha256"), key.at("tokenizer_sha256"),
                           key.at("studies").at("facts").at("data").at("").at("sha256"),
                           m.at("experiments").at("facts").at("sha256")})
    check_holds(page, std::string(hash.as_string()));
  check_holds(page, "depthlens run facts early-exit \\\n  --model " + tiny().model() + " \\\n  --out ");
  check_holds(page, "<bdi>" + std::string(m.at("model").at("name").as_string()) + "</bdi></h1>");
  check_holds(page, "<th scope=\"row\">facts</th><td><bdi>facts.json</bdi></td>");
  for (const auto& [reason, n] : m.at("counts").at("facts").at("").as_object()) {
    const auto number = n.to_number<std::uint64_t>();
    check_holds(page,
                reason == "kept" ? cat("<td class=\"number\">", number, "</td>") : cat(number, " ", reason));
  }
  check_holds(page, "precision</th><td><bdi>f32</bdi>");
}

BOOST_AUTO_TEST_CASE(records_that_are_left_out_are_counted_by_reason) {
  const scratch_folder folder;
  const std::string row = R"({"prompt":"ab","answer":"c"})";
  const std::string file = folder.write("facts.json", "[" + row + "," + row + "," + row + "]");
  const fs::path run = folder.path() / "run";
  must_work({"run", "facts", "--model", tiny().model(), "--out", run, "--data", "facts=" + file, "--format",
             "svg"});
  check_holds(report_of(run), "<td class=\"number\">3</td><td class=\"number\">1</td><td><bdi>2 ");
}

BOOST_AUTO_TEST_CASE(a_browser_is_told_to_fetch_and_run_nothing_but_the_script_of_the_page) {
  const std::string page = report_of(finished());
  check_asks_nothing(page);
  const std::set<std::string> policies =
      all_between(page, "http-equiv=\"Content-Security-Policy\" content=\"", "\"");
  BOOST_TEST_REQUIRE(policies.size() == 1U);
  BOOST_TEST(policies.begin()->starts_with("default-src 'none'; script-src 'sha256-"));
  BOOST_TEST(policies.begin()->find("unsafe") == std::string::npos);
}

BOOST_AUTO_TEST_CASE(the_same_run_gives_the_same_bytes_wherever_it_lies) {
  const std::string page = report_of(finished());
  BOOST_TEST((report_of(finished()) == page));
  const altered_run copy;
  const fs::path out = copy.path() / "other name.html";
  BOOST_TEST(must_work({"report", copy.path(), "--out", out}).out == out.string() + "\n");
  BOOST_TEST((read_bytes(out) == page));
  // The run does not take it for one of its files, nor for anybody else's.
  BOOST_TEST(must_work({"verify", copy.path(), "--rows", "0"}).out.find("no difference") !=
             std::string::npos);
}

BOOST_AUTO_TEST_CASE(hostile_answers_and_names_are_only_text) {
  const scratch_folder folder;
  boost::json::array rows;
  for (const char* answer :
       {"</script><script>alert(1)</script>", "<img src=x onerror=alert(1)>", "\"' onload=x",
        "\xE2\x80\xAE"
        "evil",
        "=1+1\n<b>"})
    rows.push_back(boost::json::object{{"prompt", "ab"}, {"answer", answer}});
  const std::string file = folder.write("<i>rows&.json", boost::json::serialize(rows));
  const fs::path run = folder.path() / "run";
  must_work({"run", "downstream", "--model", tiny().model(), "--out", run, "--data",
             "downstream.<u>task=" + file, "--name", "<s>model", "--downstream.score", "string", "--format",
             "svg"});
  const std::string page = report_of(run);
  check_asks_nothing(page);
  for (const char* bad : {"<i>", "<b>", "<u>", "<s>", "\xE2\x80\xAE"})
    BOOST_TEST(page.find(bad) == std::string::npos, bad);
  check_holds(page, "&lt;s&gt;model</bdi></h1>");
  check_holds(page, "\\u202eevil");
  check_holds(page, "&lt;img src=x onerror=alert(1)&gt;");
}

BOOST_AUTO_TEST_CASE(a_folder_without_a_finished_run_is_refused_with_its_reason) {
  const scratch_folder folder;
  check_refused({"report"}, status::usage, "folder of a run");
  check_refused({"report", folder.path() / "none"}, status::no_input, "no such folder");
  check_refused({"report", folder.path()}, status::no_input, "no run.json");
  boost::json::object m = manifest_of(finished());
  m["status"] = "stopped";
  const altered_run stopped(m);
  check_refused({"report", stopped.path()}, status::no_input, "stopped", "not complete");
  BOOST_TEST(!fs::exists(stopped.path() / "report.html"));
  must_work(tiny().shard("shards", "1/2"));
  check_refused({"report", tiny().path("shards")}, status::no_input, "not merged");
}

BOOST_AUTO_TEST_CASE(a_merge_of_some_shards_says_of_how_many_it_is) {
  must_work(tiny().shard("part", "1/2"));
  must_work({"merge", tiny().path("part"), "--partial"});
  check_holds(report_of(tiny().path("part")), "Of a part of the run: 1 of 2 shards.");
}

BOOST_AUTO_TEST_CASE(a_page_takes_the_place_of_a_page_but_not_of_what_the_run_wrote) {
  const altered_run run;
  const std::string page = report_of(run.path());
  const fs::path out = run.path() / "report.html";
  std::ofstream(out) << "<!DOCTYPE html>old";
  BOOST_TEST((report_of(run.path()) == page));
  for (const char* own : {"run.json", "data/facts_logit.csv"}) {
    const std::string before = read_bytes(run.path() / own);
    check_refused({"report", run.path(), "--out", run.path() / own}, status::usage, "--out", own);
    BOOST_TEST((read_bytes(run.path() / own) == before));
  }
  check_refused({"report", run.path(), "--out", run.path() / "none/page.html"}, status::cannot_create,
                "page.html");
  check_refused({"report", run.path(), "--out", ""}, status::usage, "--out");
}

BOOST_AUTO_TEST_CASE(a_page_takes_the_place_of_nothing_that_another_run_wrote) {
  const altered_run run, other;
  for (const char* own : {"run.json", "data/facts_logit.csv"}) {
    const std::string before = read_bytes(other.path() / own);
    check_refused({"report", run.path(), "--out", other.path() / own}, status::usage, own, "is no page");
    BOOST_TEST((read_bytes(other.path() / own) == before));
  }
  std::ofstream(run.path() / "empty.html");
  must_work({"report", run.path(), "--out", run.path() / "empty.html"});
}

BOOST_AUTO_TEST_CASE(tables_that_are_edited_are_shown_as_such_and_missing_ones_are_named) {
  const altered_run run;
  const fs::path table = run.path() / "data/layers_facts_logit.csv";
  const std::string text = read_bytes(table);
  std::ofstream(table, std::ios::binary) << text.substr(0, text.rfind('\n', text.size() - 2) + 1);
  const outcome o = must_work({"report", run.path()});
  BOOST_TEST(o.err.find("not as the run wrote it: data/layers_facts_logit.csv") != std::string::npos, o.err);
  check_holds(read_bytes(run.path() / "report.html"), "Not as the run wrote them, and shown as they were");
  fs::remove(table);
  check_refused({"report", run.path()}, status::no_input, "layers_facts_logit.csv", "missing");
  const altered_run other;
  fs::remove(other.path() / "data/early_exit_sweep_logit-null.csv");
  check_refused({"report", other.path()}, status::no_input, "early_exit_sweep_logit-null.csv", "cannot open");
}

BOOST_AUTO_TEST_CASE(a_run_of_an_earlier_version_shows_the_tables_of_its_figures) {
  boost::json::object m = manifest_of(finished());
  m.erase("summary_tables");
  m.erase("commands");
  const std::string page = report_of(altered_run(m).path());
  const std::set<std::string> tables = all_between(page, "<summary><code>", "</code>");
  BOOST_TEST(tables.contains("earliest_layer_facts_logit.csv"));
  BOOST_TEST(!tables.contains("facts_logit.csv"));
  check_holds(page, "run.json does not say by which command the run was made");
}

BOOST_AUTO_TEST_CASE(an_edited_manifest_leads_to_no_other_folder) {
  for (const char* bad : {"../../outside.csv", "/etc/passwd", ".hidden", ""}) {
    boost::json::object m = manifest_of(finished());
    m.at("summary_tables").at("facts").at("logit").as_array().at(0) = bad;
    check_refused({"report", altered_run(m).path()}, status::data, "run.json", "summary_tables");
  }
  boost::json::object m = manifest_of(finished());
  m.erase("model");
  check_refused({"report", altered_run(m).path()}, status::data, "model");
  for (const char* member :
       {"counts", "data", "lenses", "experiments", "backend", "tokenizer", "key", "outputs"}) {
    boost::json::object other = manifest_of(finished());
    other[member] = boost::json::array{1, "<b>", nullptr};
    check_asks_nothing(report_of(altered_run(other).path()));
  }
}

BOOST_AUTO_TEST_CASE(in_chromium_the_script_runs_under_the_policy_without_a_complaint,
                     *boost::unit_test::precondition(with_chromium)) {
  report_of(finished());
  const scratch_folder profile;
  const outcome o = run({"chromium", "--headless=new", "--no-sandbox", "--disable-gpu",
                         "--enable-logging=stderr", "--v=0", "--user-data-dir=" + profile.path().string(),
                         "--dump-dom", "file://" + (finished() / "report.html").string()});
  BOOST_TEST(o.code == 0, o.err);
  BOOST_TEST(o.err.find("CONSOLE") == std::string::npos, o.err);
  check_holds(o.out, "<th scope=\"col\"><button type=\"button\">");  // sortable
  check_holds(o.out, "<button id=\"theme\" type=\"button\" aria-pressed=\"false\">");
}

BOOST_AUTO_TEST_SUITE_END()
