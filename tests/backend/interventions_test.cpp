// SPDX-License-Identifier: Apache-2.0
// Runs whose states are changed on the way, of every family: against the plain model in double precision,
// with the same changes; and the same whatever shares a pack, and however packs are cut. With the reference
// data also against what transformers makes of patched runs.
#include "backend_plugin.hpp"
#include "same_read.hpp"

#include "commands/trace_patch.hpp"
#include "depthlens/base/json.hpp"
#include "depthlens/reference/model.hpp"
#include "depthlens/reference/reading.hpp"
#include "engine/evaluator.hpp"
#include "model/lens.hpp"
#include "model/model_views.hpp"
#include "model/opened_model.hpp"
#include "support/reference.hpp"

#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

using namespace depthlens;

BOOST_AUTO_TEST_SUITE(interventions)

namespace {

namespace fs = std::filesystem;
using ids = std::vector<std::int32_t>;
using results = std::vector<std::shared_ptr<const site_readings>>;

std::vector<fs::path> folders_of(const fs::path& parent) {
  std::vector<fs::path> out;
  for (const auto& item : fs::directory_iterator(parent)) out.push_back(item.path());
  std::sort(out.begin(), out.end());
  return out;
}

std::vector<fs::path> golden_folders() {
  const char* source = std::getenv("DEPTHLENS_SOURCE");
  BOOST_REQUIRE_MESSAGE(source != nullptr, "DEPTHLENS_SOURCE must name the source tree");
  return folders_of(fs::path(source) / "tests/golden/models");
}

ids ids_of(const json_view& array) {
  ids out;
  for (std::size_t i = 0; i < array.as_array().size(); ++i)
    out.push_back(static_cast<std::int32_t>(array.at(i).as_u64()));
  return out;
}

// A model on the backend under test, whose final output is read.
struct changed_model {
  opened_model opened;
  model_views views;
  testing::loaded_model model;
  backend_lens output;

  explicit changed_model(const fs::path& folder)
      : opened(opened_model::open(folder.string(), bos_policy::automatic)),
        views(*opened.files),
        model(*views.c()),
        output(&model.get(), lens_file::output(n_layers())) {}

  std::uint32_t n_layers() const { return opened.files->arch().n_layers; }
  evaluator reader(const work_rules& rules = {}) const {
    return evaluator(&model.get(), {}, rules,
                     {.top_k = 5,
                      .n_states = n_layers() + std::size_t{1},
                      .d_model = opened.files->arch().d_model,
                      .output = {output.c(), 1}});
  }
  results read(const asked_work& work, const work_rules& rules = {}) const {
    results out(work.requests.size());
    reader(rules).run(work, [&](std::size_t request, std::shared_ptr<const site_readings> r) {
      out[request] = std::move(r);
    });
    return out;
  }
};

// Two prompts and changed runs of the second one: of every layer a patch of its last position and, of one in
// its middle, the mean of two states added; its own state, and a state of an earlier position of itself.
struct changed_work {
  std::vector<ids> sequences;
  std::vector<std::vector<state_edit>> edits;
  std::vector<read_request> requests;

  changed_work(const ids& source, const ids& target, std::uint32_t n_layers) {
    sequences = {source, target};
    edits.resize(2);
    const auto s = static_cast<std::uint32_t>(source.size() - 1),
               t = static_cast<std::uint32_t>(target.size() - 1);
    requests.push_back({.sequence = 1, .position = t, .targets = {-1, 5}, .top_k = 5, .output_only = true});
    requests.push_back({.sequence = 0, .position = s, .targets = {-1}, .top_k = 5, .output_only = true});
    for (std::uint32_t layer = 0; layer < n_layers; ++layer) {
      add({{.position = t, .layer = layer, .from = {{0, s}}, .vector = {}}});
      add({{.position = t / 2, .layer = layer, .adds = true, .from = {{0, s}, {1, 0}}, .vector = {}},
           {.position = t, .layer = layer, .from = {{0, s / 2}}, .vector = {}}});
      add({{.position = t, .layer = layer, .from = {{1, t}}, .vector = {}}});
      add({{.position = t, .layer = layer, .from = {{1, t - 1}}, .vector = {}}});
    }
  }
  asked_work asked() const { return {sequences, requests, edits}; }

 private:
  void add(std::vector<state_edit> changes) {
    requests.push_back({.sequence = static_cast<std::uint32_t>(sequences.size()),
                        .position = static_cast<std::uint32_t>(sequences[1].size() - 1),
                        .targets = {-1, -3, 5},  // own top-1 of the target, of the source, some token
                        .top_k = 5,
                        .output_only = true,
                        .against = 0});
    sequences.push_back(sequences[1]);
    edits.push_back(std::move(changes));
  }
};

// The same runs by the plain model.
class plain_runs {
 public:
  plain_runs(const dlens_weights& weights, const changed_work& work) : model_(weights), work_(work) {
    for (const std::size_t b : {0U, 1U}) plain_.push_back(model_.residuals(work.sequences[b]));
  }
  reference::reading of(std::uint32_t sequence) const {
    const ids& tokens = work_.sequences[sequence];
    const auto change = [&](std::uint32_t layer, std::vector<reference::row>& h) {
      for (const state_edit& e : work_.edits[sequence]) {
        if (e.layer != layer) continue;
        reference::row v(h[0].size(), 0.0);
        for (const state_place& p : e.from)
          for (std::size_t i = 0; i < v.size(); ++i)
            v[i] += plain_[p.sequence][layer][p.position][i] / static_cast<double>(e.from.size());
        for (std::size_t i = 0; i < v.size(); ++i)
          h[e.position][i] = v[i] + (e.adds ? h[e.position][i] : 0.0);
      }
    };
    const dlens_transport identity{.size = sizeof identity,
                                   .layer = model_.arch().n_layers(),
                                   .form = DLENS_TRANSPORT_IDENTITY,
                                   .reserved = 0,
                                   .a = nullptr,
                                   .b = nullptr};
    return reference::reading(
        model_.logits(model_.residuals(tokens, nullptr, change).back().back(), identity));
  }

 private:
  reference::model model_;
  const changed_work& work_;
  std::vector<std::vector<std::vector<reference::row>>> plain_;  // [sequence][layer][position]
};

void check_close(double got, double want, const std::string& what) {
  BOOST_TEST(std::abs(got - want) <= 5e-5 * std::max(1.0, std::abs(want)),
             what << ": " << got << ", " << want);
}

double at_target(const site_readings& r, std::int32_t token) {
  const auto k = std::lower_bound(r.targets.begin(), r.targets.end(), token) - r.targets.begin();
  return static_cast<double>(r.lenses[0].logprob.at(static_cast<std::size_t>(k)));
}

changed_work work_of(const changed_model& m, const fs::path& folder) {
  const json_document golden = json_document::from_file(folder / "golden.json", {});
  const json_view texts = golden.root().require("texts");
  ids source = ids_of(texts.at(0).require("ids")), target = ids_of(texts.at(1).require("ids"));
  source.resize(std::min<std::size_t>(source.size(), 9));
  target.resize(std::min<std::size_t>(target.size(), 14));
  return changed_work(source, target, m.n_layers());
}

bool alike(const site_readings& a, const site_readings& b) {
  const lens_reading &x = a.lenses.at(0), &y = b.lenses.at(0);
  return a.final_top == b.final_top && testing::same_values(x.logprob, 0, y.logprob, 0, x.logprob.size()) &&
         testing::same_values(x.entropy, 0, y.entropy, 0, 1) && testing::same_values(x.kl, 0, y.kl, 0, 1);
}

}  // namespace

BOOST_AUTO_TEST_CASE(changed_runs_of_every_family_are_those_of_the_plain_model) {
  for (const fs::path& folder : golden_folders()) {
    BOOST_TEST_CONTEXT(folder.filename().string()) {
      const changed_model m(folder);
      const changed_work work = work_of(m, folder);
      const results got = m.read(work.asked(), {.threads = 2, .pack_tokens = 48});
      const plain_runs plain(*m.views.c(), work);
      const reference::reading target = plain.of(1);
      for (std::size_t i = 2; i < got.size(); ++i) {
        const reference::reading want = plain.of(work.requests[i].sequence);
        const std::string what = "request " + std::to_string(i);
        BOOST_TEST(got[i]->final_top == got[0]->final_top);
        check_close(at_target(*got[i], 5), want.logprob(5), what);
        check_close(at_target(*got[i], -1), want.logprob(got[0]->final_top), what + ", target");
        check_close(at_target(*got[i], got[1]->final_top), want.logprob(got[1]->final_top),
                    what + ", source");
        check_close(static_cast<double>(got[i]->lenses[0].kl[0]), want.kl_from(target), what + ", KL");
      }
    }
  }
}

BOOST_AUTO_TEST_CASE(changed_runs_are_the_same_however_packs_are_cut_and_whatever_they_share) {
  for (const fs::path& folder : golden_folders()) {
    BOOST_TEST_CONTEXT(folder.filename().string()) {
      const changed_model m(folder);
      const changed_work work = work_of(m, folder);
      const results once = m.read(work.asked());
      for (const std::size_t pack_tokens : {16U, 40U, 4096U})
        for (const std::uint64_t kept : {std::uint64_t{1}, std::uint64_t{1} << 30})
          for (const bool sharing : {true, false}) {
            const results again =
                m.read(work.asked(),
                       {.threads = 2, .pack_tokens = pack_tokens, .kept_bytes = kept, .sharing = sharing});
            for (std::size_t i = 0; i < once.size(); ++i)
              BOOST_TEST(alike(*again[i], *once[i]), "request " << i << ", packs of " << pack_tokens);
          }
      // Its own state in its place changes nothing.
      for (std::size_t i = 4; i < once.size(); i += 4) {
        BOOST_TEST(testing::same_values(once[i]->lenses[0].entropy, 0, once[0]->lenses[0].entropy, 0, 1));
        BOOST_TEST(at_target(*once[i], 5) == at_target(*once[0], 5), boost::test_tools::tolerance(1e-4));
      }
    }
  }
}

BOOST_AUTO_TEST_CASE(patched_runs_of_the_reference_models_are_those_of_transformers,
                     *boost::unit_test::precondition(test::with_reference)) {
  std::size_t n_models = 0, n_runs = 0;
  for (const fs::path& folder : folders_of(test::reference_path() / "models/tiny")) {
    if (!fs::exists(folder / "golden_patch.json")) continue;
    BOOST_TEST_CONTEXT(folder.filename().string()) {
      ++n_models;
      const changed_model m(folder);
      const json_document golden = json_document::from_file(folder / "golden_patch.json", {});
      const json_view pairs = golden.root().require("rows");
      for (std::size_t i = 0; i < pairs.as_array().size(); ++i) {
        const json_view pair = pairs.at(i);
        const trace_patch got = read_patch(m.reader(), "", ids_of(pair.require("source_ids")),
                                           ids_of(pair.require("target_ids")), m.n_layers(), 5);
        BOOST_TEST(got.source_top == static_cast<std::int32_t>(pair.require_u64("source_top")));
        BOOST_TEST(got.target_top == static_cast<std::int32_t>(pair.require_u64("target_top")));
        const json_view layers = pair.require("layers");
        for (std::size_t l = 0; l < layers.as_array().size(); ++l, ++n_runs) {
          const json_view want = layers.at(l);
          const site_readings& run = *got.layers.at(l);
          check_close(at_target(run, got.source_top), want.require_double("logprob_source_top"),
                      want.place());
          check_close(at_target(run, got.target_top), want.require_double("logprob_target_top"),
                      want.place());
          check_close(static_cast<double>(run.lenses[0].kl[0]), want.require_double("kl_from_target"),
                      want.place());
        }
      }
    }
  }
  BOOST_TEST(n_models == 10U);
  BOOST_TEST(n_runs > 300U);
}

BOOST_AUTO_TEST_SUITE_END()
