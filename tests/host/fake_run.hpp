// SPDX-License-Identifier: Apache-2.0
// A run in a folder of its own: rows of data, a byte tokenizer, fake studies, lenses and backend, record logs
// and the CSVs made of them. Every call of `go` opens all of it anew, as a process that is started again
// does.
#pragma once

#include "engine/study_runner.hpp"
#include "engine/study_session.hpp"
#include "host/fake_backend.hpp"
#include "host/fake_study.hpp"
#include "log/record_log.hpp"
#include "model/thread_limit.hpp"
#include "model/tokenizer_service.hpp"
#include "plugins/library.hpp"
#include "results/tables.hpp"
#include "support/tokenizer_files.hpp"

#include <boost/json.hpp>

#include <atomic>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <random>
#include <sstream>
#include <string>
#include <vector>

namespace depthlens::test {

inline std::vector<std::string> lines(const std::string& text) {
  std::vector<std::string> out;
  std::istringstream in(text);
  for (std::string line; std::getline(in, line);) out.push_back(line);
  return out;
}

// Prompts of two letters with common beginnings; one of them is empty.
inline std::vector<std::string> made_prompts(std::size_t n, std::uint32_t seed = 1) {
  std::mt19937 random(seed);
  std::vector<std::string> out;
  for (std::size_t i = 0; i < n; ++i) {
    std::string p;
    for (std::size_t k = 3 + random() % 20; k > 0; --k) p += "ab"[random() % 8 == 0];
    out.push_back(i == 5 ? "" : p);
  }
  return out;
}

struct run_setting {
  std::vector<std::string> lenses = {"logit", "tuned"};  // labels, see lens_of
  std::size_t window = 8192, pack_tokens = 0;
  unsigned threads = 1;
  std::uint64_t limit = std::numeric_limits<std::uint64_t>::max();
  std::vector<std::string> words = {"fake"};  // a study for each
  std::vector<std::string> sets = {""};
  std::string fault;
  bool dry_run = false;
};

struct run_result {
  bool finished = false;
  std::uint64_t records = 0;
  evaluation_counts counts;
  std::map<std::string, std::string> csv;  // by file name, of a finished run
  std::vector<kept_counts> kept;           // of each study and lens
  std::optional<not_finite_record> not_finite;
};

class fake_run {
 public:
  static constexpr std::uint32_t kVocabulary = 256, kLayers = 4;

  explicit fake_run(const std::vector<std::string>& prompts)
      : tokens_(json_tokenizer().load(), bos_policy::automatic) {
    boost::json::array rows;
    for (const std::string& p : prompts)
      rows.push_back({{"prompt", p}, {"answer", p.substr(0, p.size() / 2)}});
    data_ = folder_.write("rows.json", boost::json::serialize(rows));
  }

  std::filesystem::path folder() const { return folder_.path(); }
  std::filesystem::path log(const std::string& word, const std::string& lens) const {
    return folder_.path() / (word + "." + lens + ".log");
  }
  const tokenizer_service& tokens() const { return tokens_; }
  static const fake_lens& lens_of(const std::string& label) {
    static const fake_lens logit{1, {0, 1, 2, 3, 4}}, tuned{2, {0, 2, 4}};
    return label == "logit" ? logit : tuned;
  }

  run_result go(fake_backend& backend, const run_setting& s, const std::atomic<bool>& stop = never()) const {
    const thread_limit limit(s.threads);
    run_context context;
    context.name = "model";
    context.n_layers = kLayers;
    context.d_model = 4;
    context.vocab_size = kVocabulary;
    context.max_positions = 1000;
    context.lens_labels = s.lenses;
    context.tokenizer = tokens_.c();
    context.host = plugin_host();
    context.limit = s.limit;

    std::vector<study_plan> plans;
    for (const std::string& word : s.words) {
      study_plan p{word, {{}, detail::experiment_table<fake_study>()}, {{"fault", s.fault}}, {}, {}};
      for (const std::string& set : s.sets)
        p.datasets.push_back({set, data_, file_format::rows_json, "prompt", "", {}, 0});
      plans.push_back(std::move(p));
    }
    std::vector<std::unique_ptr<study_session>> sessions;
    std::vector<std::unique_ptr<record_log>> logs;
    std::vector<running_study> studies;
    for (study_plan& p : plans) {
      sessions.push_back(std::make_unique<study_session>(context, p));
      sessions.back()->survey();
      running_study r{sessions.back().get(), {}};
      for (const std::string& label : s.lenses) {
        if (s.dry_run) break;
        logs.push_back(std::make_unique<record_log>(log(p.word, label)));
        r.logs.push_back(logs.back().get());
      }
      studies.push_back(std::move(r));
    }
    std::vector<running_lens> lenses;
    for (const std::string& label : s.lenses) lenses.push_back({label, lens_of(label).layers});
    study_runner runner(std::move(studies), std::move(lenses),
                        [&](const std::vector<std::size_t>& active) {
                          std::vector<active_lens> used;
                          for (const std::size_t l : active)
                            used.push_back(fake_backend::active(lens_of(s.lenses[l])));
                          return evaluator(backend.c(), std::move(used),
                                           {.threads = s.threads, .pack_tokens = s.pack_tokens});
                        },
                        {.window = s.window, .only_count = counted_by(s)});
    run_result out;
    out.finished = runner.run(stop);
    out.records = runner.records_run();
    out.counts = runner.counts();
    out.not_finite = runner.not_finite();
    if (out.finished && !s.dry_run) tables(out, context, s, sessions, logs);
    return out;
  }

 private:
  static std::optional<pack_rules> counted_by(const run_setting& s) {
    if (!s.dry_run) return std::nullopt;
    return pack_rules{.pack_tokens = s.pack_tokens, .threads = s.threads};
  }

  static const std::atomic<bool>& never() {
    static const std::atomic<bool> no{false};
    return no;
  }

  void tables(run_result& out, const run_context& context, const run_setting& s,
              const std::vector<std::unique_ptr<study_session>>& sessions,
              const std::vector<std::unique_ptr<record_log>>& logs) const {
    for (std::size_t i = 0; i < sessions.size(); ++i)
      for (std::uint32_t l = 0; l < s.lenses.size(); ++l) {
        const auto to = folder_.path() / ("data-" + s.words[i]);
        std::filesystem::create_directories(to);
        const finished_tables t =
            write_tables({*sessions[i], *logs[i * s.lenses.size() + l], l, l == 0, false, to}, context);
        out.kept.push_back(t.counts);
        for (const std::string& f : t.files) out.csv[s.words[i] + "/" + f] = read_bytes(to / f);
      }
  }

  scratch_folder folder_;
  tokenizer_service tokens_;
  std::filesystem::path data_;
};

}  // namespace depthlens::test
