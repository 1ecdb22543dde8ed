// SPDX-License-Identifier: Apache-2.0
#include "validate/experiment_trial.hpp"

#include "depthlens/data/reader.hpp"
#include "engine/consume_sink.hpp"
#include "engine/record_job.hpp"
#include "engine/study_session.hpp"
#include "plugins/description_check.hpp"
#include "results/tables.hpp"
#include "validate/trial_data.hpp"
#include "validate/trial_tokenizer.hpp"

#include <xxhash.h>

#include <algorithm>
#include <atomic>
#include <exception>
#include <fstream>
#include <iterator>
#include <memory>
#include <mutex>
#include <span>
#include <thread>
#include <vector>

namespace depthlens {
namespace {

namespace fs = std::filesystem;

constexpr std::uint32_t n_layers = 3, width = 8;

// A number that follows from a prefix and what is asked of it.
std::uint64_t number(std::span<const std::int32_t> prefix, std::uint64_t of) {
  return XXH3_64bits_withSeed(prefix.data(), prefix.size_bytes(), of);
}

float small_number(std::span<const std::int32_t> prefix, std::uint64_t of) {
  constexpr std::uint64_t steps = 1000;
  return static_cast<float>(number(prefix, of) % steps) / 100;
}

// What the made-up model says at the end of a prefix, by `n_lenses` lenses.
site_readings made_up(std::span<const std::int32_t> prefix, const read_request& request,
                      std::size_t n_lenses) {
  constexpr std::uint32_t vocabulary = trial_vocabulary;
  site_readings out;
  out.final_top = static_cast<std::int32_t>(number(prefix, 1) % (vocabulary - 1));
  out.targets = request.targets;
  std::sort(out.targets.begin(), out.targets.end());
  out.targets.erase(std::unique(out.targets.begin(), out.targets.end()), out.targets.end());
  out.top_k = request.top_k;
  for (std::uint64_t i = 0; request.hidden && i < (n_layers + 1) * width; ++i)
    out.hidden.push_back(small_number(prefix, 700 + i));
  const std::uint64_t first_layer = request.output_only ? n_layers : 0;
  for (std::uint64_t lens = 0; lens < n_lenses; ++lens) {
    lens_reading& r = out.lenses.emplace_back();
    const auto of = [&](std::uint64_t layer, std::uint64_t what) {
      return 2 + (lens * 64 + layer) * 1024 + what;
    };
    for (const std::int32_t target : out.targets)
      for (std::uint64_t layer = first_layer; layer <= n_layers; ++layer) {
        const auto id = static_cast<std::uint64_t>(target < 0 ? out.final_top : target);
        const bool first = target < 0 && layer == n_layers;
        r.rank.push_back(first ? 1
                               : 1 + static_cast<std::uint32_t>(number(prefix, of(layer, id)) % vocabulary));
        r.ties.push_back(0);
        r.logprob.push_back(-small_number(prefix, of(layer, 300 + id)));
      }
    for (std::uint64_t layer = first_layer; layer <= n_layers; ++layer) {
      r.entropy.push_back(small_number(prefix, of(layer, 600)));
      r.kl.push_back(layer == n_layers ? 0 : small_number(prefix, of(layer, 601)));
      for (std::uint64_t k = 0; k < out.top_k; ++k) {
        const auto top = static_cast<std::int32_t>((number(prefix, of(layer, 602)) + k) % vocabulary);
        r.top.push_back(layer == n_layers && k == 0 ? out.final_top : top);
        r.top_logprob.push_back(-static_cast<float>(k + 1));
      }
    }
  }
  return out;
}

const dlens_host& stopping_host() {
  static const dlens_host host = [] {
    dlens_host out = *plugin_host();
    out.should_stop = [](const dlens_host*) -> std::uint32_t { return 1; };
    return out;
  }();
  return host;
}

// A study on its trial data, as a run has it.
class trial {
 public:
  trial(checked_plugin& plugin, const trial_way& way, const std::map<std::string, std::string>& options)
      : folder_(plugin.folder / way.name), way_(way) {
    fs::create_directories(folder_);
    const dlens_plugin* loaded = load_plugin(plugin.file);
    if (loaded == nullptr) fail(status::unavailable, plugin.file.reason);
    plan_.word = plugin.file.word;
    plan_.plugin.about = plugin.file;
    plan_.plugin.table =
        static_cast<const dlens_experiment*>(loaded->get_interface(DLENS_EXPERIMENT_INTERFACE));
    if (plan_.plugin.table == nullptr)
      fail(status::unavailable, "it does not offer " DLENS_EXPERIMENT_INTERFACE);
    check_experiment(*plan_.plugin.table);
    add_options(options);
    plan_.datasets = trial_data(*plan_.plugin.table, folder_, way.empty);
    context_ = {.name = "trial",
                .n_layers = n_layers,
                .d_model = width,
                .vocab_size = trial_vocabulary,
                .max_positions = 512,
                .lens_labels = {"logit", "tuned"},
                .tokenizer = trial_tokenizer(),
                .host = way.stopping ? &stopping_host() : plugin_host()};
    session_ = std::make_unique<study_session>(context_, plan_);
    session_->survey();
  }

  std::map<std::string, std::string> run() {
    read_records();
    for (const std::string& label : context_.lens_labels)
      logs_.push_back(std::make_unique<record_log>(folder_ / (label + ".log")));
    run_records();
    return write();
  }

 private:
  void add_options(const std::map<std::string, std::string>& given) {
    const dlens_experiment& e = *plan_.plugin.table;
    for (const dlens_option* o : std::span(e.options, e.n_options)) {
      const auto at = given.find(o->id);
      if (at == given.end() && o->fallback == nullptr) continue;
      plan_.options.emplace_back(o->id, at == given.end() ? o->fallback : at->second);
    }
  }

  void read_records() {
    for (std::uint32_t d = 0; d < plan_.datasets.size(); ++d) {
      const dataset_plan& data = plan_.datasets[d];
      const auto reader = open_records(data.file, data.format, data.kind, data.cuts);
      for (record r; reader->next(r);) jobs_.push_back(std::make_unique<record_job>(std::move(r), d, 0));
    }
    if (way_.backwards) std::reverse(jobs_.begin(), jobs_.end());
  }

  // On threads of its own: those of the host may be fewer than are asked for.
  void run_records() {
    std::atomic<std::size_t> next{0};
    std::exception_ptr first;
    const auto work = [&] {
      try {
        for (std::size_t i = next++; i < jobs_.size(); i = next++) run_record(*jobs_[i]);
      } catch (...) {
        const std::lock_guard lock(guard_);
        if (!first) first = std::current_exception();
      }
    };
    {
      std::vector<std::jthread> others;
      for (unsigned t = 1; t < way_.threads; ++t) others.emplace_back(work);
      work();
    }
    if (first) std::rethrow_exception(first);
  }

  void run_record(record_job& job) {
    while (session_->plan_record(job)) {
      round& asked = job.last_round();
      const auto answer = [&](const read_request& request) {
        const std::span ids(asked.sequences[request.sequence]);
        return made_up(ids.first(request.position + 1), request, context_.lens_labels.size());
      };
      for (std::size_t i = 0; i < asked.reads.size(); ++i) {
        read_request request = asked.reads[i];
        for (std::int32_t& target : request.targets)
          if (target < -1) target = answer(asked.reads[read_of_target(target)]).final_top;
        job.receive(i, std::make_shared<site_readings>(answer(request)));
      }
    }
    const record_key key{plan_.datasets[job.dataset()].set, job.data().index, job.content_hash()};
    std::vector<lens_slot> lenses;
    for (std::size_t l = 0; l < context_.lens_labels.size(); ++l)
      lenses.push_back({{0, 1, 2, 3}, static_cast<int>(l)});
    for (std::uint32_t l = 0; l < lenses.size(); ++l) {
      const std::string payload = consume_to_payload(*session_, job, key, lenses, l, "made up");
      const std::lock_guard lock(guard_);
      logs_[l]->append(key, payload);
    }
  }

  std::map<std::string, std::string> write() {
    std::map<std::string, std::string> out;
    for (std::uint32_t l = 0; l < logs_.size(); ++l) {
      const finished_tables made = write_tables(
          {.session = *session_, .log = *logs_[l], .lens = l, .shared_too = l == 0, .folder = folder_},
          context_);
      for (const std::string& name : made.files) {
        std::ifstream in(folder_ / name, std::ios::binary);
        out[name] = {std::istreambuf_iterator<char>(in), {}};
      }
    }
    return out;
  }

  const fs::path folder_;
  const trial_way way_;
  study_plan plan_;
  run_context context_;
  std::unique_ptr<study_session> session_;
  std::vector<std::unique_ptr<record_job>> jobs_;
  std::vector<std::unique_ptr<record_log>> logs_;
  std::mutex guard_;
};

}  // namespace

std::map<std::string, std::string> tables_of_trial(checked_plugin& plugin, const trial_way& way) {
  return trial(plugin, way, plugin.options).run();
}

void describe_trial(checked_plugin& plugin, const std::map<std::string, std::string>& options) {
  std::map<std::string, std::string> all = plugin.options;
  for (const auto& [id, value] : options) all[id] = value;
  trial(plugin, {.name = "described"}, all);
}

}  // namespace depthlens
