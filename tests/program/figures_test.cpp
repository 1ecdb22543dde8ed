// SPDX-License-Identifier: Apache-2.0
// Figures of the whole program: every format, drawn again from the tables, without gnuplot, and with names
// and texts that a shell or gnuplot would run.
#include "program/demo.hpp"
#include "program/tiny_folder.hpp"

#include <boost/test/unit_test.hpp>

#include <sys/stat.h>

#include <array>
#include <cstdlib>
#include <set>
#include <sstream>
#include <string>

BOOST_AUTO_TEST_SUITE(figures_of_runs)

namespace {

using namespace depthlens;
using namespace depthlens::test;
namespace fs = std::filesystem;

const small_data& data() {
  static const small_data files(8);
  return files;
}

words facts_into(const fs::path& out) {
  return words{"run", "facts", "--model", demo_model(), "--out", out} + data().facts();
}

std::set<std::string> pictures_of(const fs::path& run, const std::string& extension) {
  std::set<std::string> out;
  if (fs::exists(run / "plots"))
    for (const auto& item : fs::directory_iterator(run / "plots"))
      if (item.path().extension() == extension && fs::file_size(item.path()) > 500)
        out.insert(item.path().stem());
  return out;
}

// A folder of links to the programs of PATH, all but gnuplot.
class path_without_gnuplot {
 public:
  path_without_gnuplot() {
    std::istringstream folders(std::getenv("PATH"));
    for (std::string folder; std::getline(folders, folder, ':');) {
      std::error_code code;
      for (const auto& item : fs::directory_iterator(folder, code)) {
        const std::string name = item.path().filename();
        if (!name.starts_with("gnuplot") && !fs::exists(links_.path() / name))
          fs::create_symlink(item.path(), links_.path() / name, code);
      }
    }
  }
  surroundings use() const { return {{{"PATH", links_.path().string()}}, {}}; }

 private:
  scratch_folder links_;
};

}  // namespace

BOOST_AUTO_TEST_CASE(every_figure_comes_in_every_format_with_its_script_and_data) {
  const scratch_folder folder;
  const fs::path run = folder.path() / "run";
  must_work(data().all() + words{"--out", run});
  const std::set<std::string> png = pictures_of(run, ".png");
  BOOST_TEST(png.size() >= 8U);
  for (const char* name : {"frequency_buckets_logit", "decision_flips_logit", "earliest_layer_pos_logit"})
    BOOST_TEST(png.contains(name), name);
  BOOST_TEST((pictures_of(run, ".svg") == png));
  BOOST_TEST((pictures_of(run, ".pdf") == png));
  for (const std::string& name : png) {
    BOOST_TEST(fs::exists(run / "plots" / (name + ".gp")));
    BOOST_TEST(fs::exists(run / "plots" / (name + ".dat")));
    BOOST_TEST(read_bytes(run / "plots" / (name + ".png")).starts_with("\x89PNG"));
    BOOST_TEST(read_bytes(run / "plots" / (name + ".svg")).find("</svg>") != std::string::npos);
    BOOST_TEST(read_bytes(run / "plots" / (name + ".pdf")).starts_with("%PDF"));
  }
}

BOOST_AUTO_TEST_CASE(the_same_command_draws_what_is_missing_and_no_picture_is_left_behind) {
  const scratch_folder folder;
  const fs::path run = folder.path() / "run";
  must_work(facts_into(run) + words{"--limit", "4", "--format", "svg"});
  const std::set<std::string> drawn = pictures_of(run, ".svg");
  BOOST_REQUIRE(!drawn.empty());
  BOOST_TEST((pictures_of(run, ".png").empty()));
  must_work(facts_into(run) + words{"--limit", "4", "--format", "png"});
  BOOST_TEST((pictures_of(run, ".png") == drawn));
  const std::string lost = *drawn.begin();
  fs::remove(run / "plots" / (lost + ".svg"));
  const std::string kept = read_bytes(run / "plots" / (lost + ".png"));
  must_work(facts_into(run) + words{"--limit", "4", "--format", "svg"});
  BOOST_TEST((pictures_of(run, ".svg") == drawn));
  BOOST_TEST(must_work(facts_into(run) + words{"--limit", "4", "--format", "svg"}).err.find("nothing new") !=
             std::string::npos);
  must_work(facts_into(run) + words{"--limit", "8", "--format", "svg"});
  BOOST_TEST(read_bytes(run / "plots" / (lost + ".png")) != kept);  // says how many prompts
  const std::string svg = read_bytes(run / "plots" / (lost + ".svg"));
  BOOST_TEST(must_work(facts_into(run) + words{"--limit", "4", "--format", "svg"})
                 .err.find("--limit 4 takes nothing away from facts: the run holds 8 of its records") !=
             std::string::npos);
  BOOST_TEST(read_bytes(run / "plots" / (lost + ".svg")) == svg);
  must_work(facts_into(run) + words{"--limit", "8", "--format", "svg", "--name", "Another"});
  BOOST_TEST(read_bytes(run / "plots" / (lost + ".svg")) != svg);
}

BOOST_AUTO_TEST_CASE(without_gnuplot_the_tables_are_finished_and_the_line_for_later_is_printed) {
  const scratch_folder folder;
  const fs::path run = folder.path() / "run";
  const path_without_gnuplot path;
  const outcome o = must_work(facts_into(run), path.use());
  BOOST_TEST(o.err.find("depthlens plot " + fs::canonical(run).string()) != std::string::npos, o.err);
  BOOST_TEST(tables_of(run).contains("facts_logit.csv"));
  BOOST_TEST(pictures_of(run, ".png").empty());
  BOOST_TEST((manifest_of(run).at("status") == "complete"));
  const outcome plot = depthlens_says({"plot", run}, path.use());
  BOOST_TEST(plot.code == 69);
  BOOST_TEST(plot.err.find("gnuplot") != std::string::npos, plot.err);

  const auto tables = tables_of(run);
  const outcome later = must_work({"plot", run});
  const words listed = lines_of(later.out);
  BOOST_TEST(listed.size() >= 9U);
  for (const std::string& picture : listed) BOOST_TEST(fs::exists(picture), picture);
  BOOST_TEST(pictures_of(run, ".png").size() * 3 == listed.size());
  check_same_tables(tables_of(run), tables);
}

BOOST_AUTO_TEST_CASE(an_evaluation_of_lenses_without_gnuplot_leaves_its_table_and_says_how_to_draw_it) {
  const tiny_folder model;
  const scratch_folder folder;
  const fs::path out = folder.path() / "eval";
  const words command{
      "lens",  "eval",  "--model", model.path(), "--lens",
      "logit", "--out", out,       "--text",     folder.write("text.jsonl", R"({"prompt":"abcabc"})")};
  const outcome o = must_work(command, path_without_gnuplot().use());
  BOOST_TEST(o.err.find("gnuplot is not installed") != std::string::npos, o.err);
  BOOST_TEST(o.err.find("later: the same command") != std::string::npos, o.err);
  BOOST_TEST(fs::exists(out / "lens_eval.csv"));
  BOOST_TEST(!fs::exists(out / "lens_eval.png"));
}

BOOST_AUTO_TEST_CASE(plot_draws_again_what_is_missing_in_the_formats_asked_for_without_the_model) {
  const scratch_folder folder;
  const fs::path run = folder.path() / "run";
  must_work(facts_into(run) + words{"--format", "svg"});
  const std::set<std::string> svg = pictures_of(run, ".svg");
  BOOST_TEST(pictures_of(run, ".png").empty());
  std::map<std::string, std::string> before;
  for (const std::string& name : svg) before[name] = read_bytes(run / "plots" / (name + ".svg"));
  fs::rename(run, folder.path() / "moved");
  fs::remove_all(folder.path() / "moved/plots");
  fs::remove_all(folder.path() / "moved/log");
  must_work({"plot", folder.path() / "moved", "--format", "png,svg"});
  BOOST_TEST((pictures_of(folder.path() / "moved", ".png") == svg));
  BOOST_TEST(pictures_of(folder.path() / "moved", ".pdf").empty());
  for (const auto& [name, bytes] : before)
    BOOST_TEST((read_bytes(folder.path() / "moved/plots" / (name + ".svg")) == bytes), name);
}

BOOST_AUTO_TEST_CASE(figures_on_request_are_drawn_elsewhere_and_only_where_all_are_asked_for) {
  const scratch_folder folder;
  const fs::path run = folder.path() / "run", out = folder.path() / "out", all = folder.path() / "all";
  must_work(facts_into(run) + words{"--format", "svg"});
  BOOST_TEST(!pictures_of(run, ".svg").contains("onset_density_facts_logit"));
  must_work({"plot", run, "--out", out, "--format", "tikz"});
  must_work({"plot", run, "--out", all, "--format", "tikz", "--all"});
  BOOST_TEST(!fs::exists(out / "onset_density_facts_logit.tikz"));
  for (const std::string& name : pictures_of(run, ".svg")) {
    const std::string picture = read_bytes(out / (name + ".tikz"));
    BOOST_TEST(picture.starts_with("\\begin{tikzpicture}"));
    BOOST_TEST((read_bytes(all / (name + ".tikz")) == picture));
  }
  BOOST_TEST(read_bytes(all / "onset_density_facts_logit.tikz").find("Density") != std::string::npos);
  BOOST_TEST(!fs::exists(run / "plots/onset_density_facts_logit.svg"));
  const outcome o = depthlens_says({"plot", run, "--all"});
  BOOST_TEST(o.code == 64);
  BOOST_TEST(o.err.find("--all needs --out DIR") != std::string::npos, o.err);
}

BOOST_AUTO_TEST_CASE(texts_that_a_shell_or_gnuplot_would_run_are_only_text) {
  const scratch_folder folder;
  fs::create_directory(folder.path() / "here");
  std::string slashless =
      "canary";  // names may have no slash, so what ran would make it in the current folder
  const words hostile = {"`touch canary`",
                         "$(touch canary)",
                         "'; system('touch canary'); '",
                         "@x {y}_2^3 \" %s",
                         "EOD",
                         "|touch canary",
                         "<touch canary",
                         "!touch canary"};
  const surroundings there{{}, folder.path() / "here"};
  int i = 0;
  for (const std::string& text : hostile) {
    BOOST_TEST_CONTEXT("text: " << text) {
      boost::json::array rows;
      for (const char* answer : {" one", " two"})
        rows.push_back(boost::json::object{{"prompt", text + " It is"}, {"answer", answer}});
      const std::string file = folder.write(cat("rows", i, ".json"), boost::json::serialize(rows));
      const fs::path run = folder.path() / cat("run", i++, "\nsystem('touch canary')\n", text);
      must_work({"run", "downstream", "--model", demo_model(), "--out", run, "--data",
                 "downstream." + text + "=" + file, "--name", text, "--lens", "logit"},
                there);
      BOOST_TEST(pictures_of(run, ".png").size() >= 1U);
      must_work({"plot", run, "--format", "svg"}, there);
      for (const fs::path& where : {folder.path(), folder.path() / "here", run, run / "plots", run / "data"})
        BOOST_TEST(!fs::exists(where / "canary"), "it was run in " << where);
    }
  }
}

BOOST_AUTO_TEST_CASE(names_that_cannot_be_part_of_a_file_name_are_refused_before_any_work) {
  const scratch_folder folder;
  const std::string file = folder.write("rows.json", R"([{"prompt":"It is","answer":" one"}])");
  const std::array<std::string, 6> all = {"a\nb", "../b", "a/b", "\xff", "\x1b[31m", std::string(101, 'a')};
  for (const std::string& bad : all) {
    const words start = {"run", "downstream", "--model", demo_model(), "--out", folder.path() / "run"};
    check_refused(start + words{"--data", "downstream." + bad + "=" + file}, status::usage,
                  "--data downstream.", "a name");
    check_refused(start + words{"--data", "downstream.task=" + file, "--name", bad}, status::usage, "--name",
                  "a name");
  }
  BOOST_TEST(!fs::exists(folder.path() / "run"));
}

BOOST_AUTO_TEST_CASE(a_model_file_of_a_wild_name_gives_harmless_titles_and_names) {
  const scratch_folder folder;
  fs::create_directory(folder.path() / "here");
  const fs::path model = folder.path() / "`touch canary`\n'\xff$(touch canary).gguf";
  fs::create_symlink(demo_model(), model);
  must_work(words{"run", "facts", "--model", model, "--out", folder.path() / "run", "--format", "png"} +
                data().facts(),
            {{}, folder.path() / "here"});
  BOOST_TEST(pictures_of(folder.path() / "run", ".png").size() >= 3U);
  for (const fs::path& where : {folder.path() / "here", folder.path() / "run", folder.path() / "run/plots"})
    BOOST_TEST(!fs::exists(where / "canary"), "it was run in " << where);
}

BOOST_AUTO_TEST_CASE(answers_that_gnuplot_would_run_are_only_text) {
  const scratch_folder folder;
  fs::create_directory(folder.path() / "here");
  boost::json::array rows;
  for (const char* answer :
       {" `touch canary`", " $(touch canary)", " '; system('touch canary') #", " @x\n!touch canary\n"})
    rows.push_back(boost::json::object{{"prompt", "Choose:"}, {"answer", answer}});
  const std::string file = folder.write("rows.json", boost::json::serialize(rows));
  const fs::path run = folder.path() / "run";
  must_work({"run", "downstream", "--model", demo_model(), "--out", run, "--data", "downstream.task=" + file},
            {{}, folder.path() / "here"});
  BOOST_TEST(pictures_of(run, ".png").size() >= 1U);
  for (const fs::path& where : {folder.path(), folder.path() / "here", run, run / "plots"})
    BOOST_TEST(!fs::exists(where / "canary"), "it was run in " << where);
}

BOOST_AUTO_TEST_CASE(an_edited_manifest_leads_plot_to_no_other_folder) {
  const scratch_folder folder;
  const fs::path run = folder.path() / "run";
  must_work(facts_into(run) + words{"--format", "svg"});
  const std::string whole = read_bytes(run / "run.json");
  const auto with = [&](const std::string& key, const std::string& value) {
    boost::json::object m = boost::json::parse(whole).as_object();
    for (auto& [stem, figure] : m.at("figures").as_object()) figure.as_object()[key] = value;
    folder.write("run/run.json", boost::json::serialize(m));
  };
  for (const char* key : {"csv", "stem"})
    for (const char* bad : {"../../outside", "/etc/passwd", ".hidden", "", "a/b"}) {
      with(key, bad);
      check_refused({"plot", run}, status::data, "run.json", key);
    }
  with("stem", "one");
  check_refused({"plot", run}, status::data, "run.json", "two figures", "one");
  with("csv", "<touch canary");
  check_refused({"plot", run}, status::no_input, "canary");
  BOOST_TEST(!fs::exists("canary"));
}

BOOST_AUTO_TEST_SUITE_END()
