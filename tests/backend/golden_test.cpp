// SPDX-License-Identifier: Apache-2.0
// The tiny models of tests/golden, one of each family and spelling, from their files to their readings: token
// ids, ranks, log-probabilities, entropies, KL and first ids as transformers gives them, on texts longer than
// the windows and on both sides of the original rope length. golden/make.py makes them and says what they
// hold.
#include "backend_plugin.hpp"
#include "same_read.hpp"

#include "depthlens/base/json.hpp"
#include "engine/evaluator.hpp"
#include "model/lens.hpp"
#include "model/model_views.hpp"
#include "model/opened_model.hpp"
#include "model/self_check.hpp"

#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <vector>

using namespace depthlens;

BOOST_AUTO_TEST_SUITE(golden_models)

namespace {

namespace fs = std::filesystem;

std::vector<fs::path> golden_folders() {
  const char* source = std::getenv("DEPTHLENS_SOURCE");
  BOOST_REQUIRE_MESSAGE(source != nullptr, "DEPTHLENS_SOURCE must name the source tree");
  std::vector<fs::path> out;
  for (const auto& item : fs::directory_iterator(fs::path(source) / "tests/golden/models"))
    out.push_back(item.path());
  std::sort(out.begin(), out.end());
  return out;
}

// A model on the backend under test, held or streamed, with its logit lens.
struct golden_model {
  opened_model opened;
  model_views views;
  testing::loaded_model model;
  lens_file layers;
  backend_lens lens;
  explicit golden_model(const fs::path& folder)
      : opened(opened_model::open(folder.string(), bos_policy::automatic)),
        views(*opened.files),
        model(*views.c()),
        layers(parse_lens("logit"), opened.files->arch().n_layers, opened.files->arch().d_model),
        lens(&model.get(), layers) {}

  // One result for each position of `wanted`.
  std::vector<std::shared_ptr<const site_readings>> read(const std::vector<std::int32_t>& ids,
                                                         const json_view& wanted) const {
    std::vector<read_request> requests;
    for (std::size_t i = 0; i < wanted.as_array().size(); ++i)
      requests.push_back({0, static_cast<std::uint32_t>(wanted.at(i).require_u64("position")), {-1}});
    return read({ids}, requests, {.threads = 2});
  }
  std::vector<std::shared_ptr<const site_readings>> read(const testing::sequences& texts,
                                                         const std::vector<read_request>& requests,
                                                         work_rules rules) const {
    rules.long_positions = opened.files->arch().long_positions;
    std::vector<std::shared_ptr<const site_readings>> out(requests.size());
    const active_lens active{lens.c(), static_cast<std::uint32_t>(layers.layers().size())};
    const evaluator run(&model.get(), {active}, rules, {.top_k = 3});
    run.run({texts, requests}, [&](std::size_t request, std::shared_ptr<const site_readings> result) {
      out[request] = std::move(result);
    });
    return out;
  }
};

std::vector<std::int32_t> ids_of(const json_view& array) {
  std::vector<std::int32_t> out;
  for (std::size_t i = 0; i < array.as_array().size(); ++i)
    out.push_back(static_cast<std::int32_t>(array.at(i).as_u64()));
  return out;
}

void check_close(double got, const json_view& layer, const char* key) {
  const double want = layer.require_double(key);
  BOOST_TEST(std::abs(got - want) <= 3e-5 * std::max(1.0, std::abs(want)),
             layer.place() << key << " is " << got << ", expected " << want);
}

// `position` of golden.json against what was read there. Returns the number of layers.
std::size_t check_position(const site_readings& got, const json_view& position) {
  BOOST_TEST(got.final_top == static_cast<std::int32_t>(position.require_u64("target")), position.place());
  const json_view layers = position.require("layers");
  const std::size_t L = layers.as_array().size();
  const lens_reading& r = got.lenses.at(0);
  BOOST_REQUIRE(r.logprob.size() == L);
  for (std::size_t l = 0; l < L; ++l) {
    const json_view layer = layers.at(l);
    BOOST_TEST(r.rank[l] == layer.require_u64("rank"), layer.place());
    BOOST_TEST(r.ties[l] == 0U, layer.place());
    check_close(static_cast<double>(r.logprob[l]), layer, "logprob");
    check_close(static_cast<double>(r.entropy[l]), layer, "entropy");
    check_close(static_cast<double>(r.kl[l]), layer, "kl");
    const std::vector<std::int32_t> top = ids_of(layer.require("top"));
    BOOST_TEST(std::equal(top.begin(), top.end(), r.top.begin() + static_cast<std::ptrdiff_t>(3 * l)),
               layer.place());
  }
  return L;
}

}  // namespace

BOOST_AUTO_TEST_CASE(every_family_reads_from_its_files_as_transformers_does) {
  const std::vector<fs::path> folders = golden_folders();
  BOOST_TEST(folders.size() == 26U);
  for (const fs::path& folder : folders) {
    BOOST_TEST_CONTEXT(folder.filename().string()) {
      const golden_model m(folder);
      const json_document golden = json_document::from_file(folder / "golden.json", {});
      const json_view texts = golden.root().require("texts");
      std::size_t compared = 0;
      for (std::size_t t = 0; t < texts.as_array().size(); ++t) {
        const std::vector<std::int32_t> ids = ids_of(texts.at(t).require("ids"));
        BOOST_TEST(m.opened.tokens->encode_prompt(texts.at(t).require_string("text")) == ids,
                   boost::test_tools::per_element());
        const json_view positions = texts.at(t).require("positions");
        const auto results = m.read(ids, positions);
        for (std::size_t i = 0; i < results.size(); ++i)
          compared += check_position(*results[i], positions.at(i));
      }
      BOOST_TEST(compared >= 60U);
    }
  }
}

// The long ones in the other form from their first token on, the short ones not.
BOOST_AUTO_TEST_CASE(prompts_on_both_sides_of_the_original_length_read_alike_whatever_is_shared) {
  const fs::path folder = golden_folders().front().parent_path() / "phi3-longrope";
  const golden_model m(folder);
  const json_document golden = json_document::from_file(folder / "golden.json", {});
  const std::vector<std::int32_t> ids = ids_of(golden.root().require("texts").at(1).require("ids"));
  const std::uint32_t original = m.opened.files->arch().long_positions;
  BOOST_REQUIRE(ids.size() > original + 1);
  testing::sequences texts;
  for (const std::size_t n : {std::size_t{40}, std::size_t{original}, original + std::size_t{1}, ids.size()})
    texts.emplace_back(ids.begin(), ids.begin() + static_cast<std::ptrdiff_t>(n));
  std::vector<read_request> requests;
  std::vector<std::shared_ptr<const site_readings>> alone;
  for (std::uint32_t s = 0; s < texts.size(); ++s)
    for (const std::size_t position : {std::size_t{9}, std::size_t{30}, texts[s].size() - 1}) {
      const auto at = static_cast<std::uint32_t>(position);
      requests.push_back({s, at, {-1}});
      alone.push_back(m.read({texts[s]}, {{0, at, {-1}}}, {.threads = 1}).at(0));
    }
  const auto alike = [](const lens_reading& a, const lens_reading& b) {
    return testing::same_values(a.rank, 0, b.rank, 0, a.rank.size()) &&
           testing::same_values(a.logprob, 0, b.logprob, 0, a.logprob.size()) &&
           testing::same_values(a.entropy, 0, b.entropy, 0, a.entropy.size()) &&
           testing::same_values(a.kl, 0, b.kl, 0, a.kl.size());
  };
  for (const bool sharing : {true, false})
    for (const std::size_t pack_tokens : {0U, 48U, 2000U}) {
      const auto got =
          m.read(texts, requests, {.threads = 2, .pack_tokens = pack_tokens, .sharing = sharing});
      for (std::size_t i = 0; i < got.size(); ++i)
        BOOST_TEST(alike(got[i]->lenses.at(0), alone[i]->lenses.at(0)), "request " << i);
    }
  BOOST_TEST(!alike(alone[4]->lenses.at(0), alone[7]->lenses.at(0)));  // position 30, in either form
}

BOOST_AUTO_TEST_CASE(every_family_passes_the_checks_of_a_loaded_model) {
  for (const fs::path& folder : golden_folders()) {
    BOOST_TEST_CONTEXT(folder.filename().string()) {
      const golden_model m(folder);
      boost::json::object result;
      BOOST_REQUIRE_NO_THROW(
          result = self_check(*m.opened.files, &m.model.get(), {.token = m.opened.first_token()}));
      for (const auto& [name, one] : result) {
        // A state ten times as large reads otherwise where no norm takes that away.
        if (name == "scale" && m.opened.files->find_tensor("final_norm") == nullptr) {
          BOOST_TEST(one.at("result").as_string() == "not applicable");
          continue;
        }
        BOOST_TEST(one.at("result").as_string() == "passed", name);
        BOOST_TEST(one.at("largest_difference").as_double() < 1e-3, name);
      }
      BOOST_TEST(!result.at("blocks").as_object().contains("not checked"));
    }
  }
}

BOOST_AUTO_TEST_SUITE_END()
