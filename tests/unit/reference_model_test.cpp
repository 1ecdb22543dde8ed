// SPDX-License-Identifier: Apache-2.0
// The plain model in double precision, which backends are compared with, against what transformers reads in
// tiny models of every family: those of tests/golden, whose make.py says what golden.json holds, and those
// of the reference data.
#include "depthlens/base/json.hpp"
#include "depthlens/model/model_files.hpp"
#include "depthlens/reference/model.hpp"
#include "depthlens/reference/reading.hpp"
#include "model/model_views.hpp"
#include "support/reference.hpp"

#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <vector>

using namespace depthlens;

BOOST_AUTO_TEST_SUITE(reference_models)

namespace {

namespace fs = std::filesystem;

std::vector<fs::path> folders_of(const fs::path& parent) {
  std::vector<fs::path> out;
  for (const auto& item : fs::directory_iterator(parent))
    if (item.is_directory()) out.push_back(item.path());
  std::sort(out.begin(), out.end());
  return out;
}

std::vector<std::int32_t> ids_of(const json_view& array) {
  std::vector<std::int32_t> out;
  for (std::size_t i = 0; i < array.as_array().size(); ++i)
    out.push_back(static_cast<std::int32_t>(array.at(i).as_u64()));
  return out;
}

// What the two kinds of golden.json call what they hold.
struct golden_form {
  std::size_t first_layer;
  const char* kl;
};

// Compares a model with its golden.json and counts what was compared.
class comparison {
 public:
  comparison(const fs::path& folder, golden_form form)
      : form_(form),
        files_(model_files::open(folder.string())),
        views_(files_),
        model_(*views_.c()),
        golden_(json_document::from_file(folder / "golden.json", {})) {}

  void run() {
    const json_view texts = golden_.root().require("texts");
    for (std::size_t t = 0; t < texts.as_array().size(); ++t) {
      const auto residuals = model_.residuals(ids_of(texts.at(t).require("ids")));
      const json_view positions = texts.at(t).require("positions");
      for (std::size_t p = 0; p < positions.as_array().size(); ++p) compare(residuals, positions.at(p));
    }
  }

  std::size_t readings = 0, wrong_ranks = 0;
  double worst = 0;

 private:
  void compare(const std::vector<std::vector<reference::row>>& residuals, const json_view& position) {
    const auto at = static_cast<std::size_t>(position.require_u64("position"));
    const auto target = static_cast<std::int32_t>(position.require_u64("target"));
    const json_view layers = position.require("layers");
    BOOST_REQUIRE(layers.as_array().size() + form_.first_layer == residuals.size());
    const reference::reading last = read(residuals.back()[at]);
    BOOST_TEST(last.rank(target, margin) == 1U, position.place());
    for (std::size_t i = 0; i < layers.as_array().size(); ++i) {
      const reference::reading got = read(residuals[form_.first_layer + i][at]);
      const json_view want = layers.at(i);
      check(got.logprob(target), want, "logprob");
      check(got.entropy, want, "entropy");
      check(got.kl_from(last), want, form_.kl);
      const std::uint64_t rank = want.require_u64("rank");
      wrong_ranks += rank < got.rank(target, margin) || rank > got.rank(target, -margin) ? 1 : 0;
      ++readings;
    }
  }

  reference::reading read(const reference::row& h) const {
    const dlens_transport identity{.size = sizeof identity,
                                   .layer = 0,
                                   .form = DLENS_TRANSPORT_IDENTITY,
                                   .reserved = 0,
                                   .a = nullptr,
                                   .b = nullptr};
    return reference::reading(model_.logits(h, identity));
  }

  void check(double got, const json_view& layer, const char* key) {
    const double want = layer.require_double(key);
    const double difference = std::abs(got - want) / std::max(1.0, std::abs(want));
    worst = std::max(worst, difference);
    BOOST_TEST(difference <= 3e-5, layer.place() << key << " is " << got << ", expected " << want);
  }

  // Logits nearer to each other than this come in either order in float32.
  static constexpr double margin = 1e-4;
  const golden_form form_;
  const model_files files_;
  const model_views views_;
  const reference::model model_;
  const json_document golden_;
};

// Every folder must have its golden.json: none is passed over.
void compare_all(const fs::path& parent, golden_form form) {
  for (const fs::path& folder : folders_of(parent)) {
    BOOST_TEST_CONTEXT(folder.filename().string()) {
      comparison c(folder, form);
      c.run();
      BOOST_TEST_MESSAGE(folder.filename().string() << ": " << c.readings << " readings, worst " << c.worst);
      BOOST_TEST(c.readings >= 20U);
      BOOST_TEST(c.wrong_ranks == 0U);
    }
  }
}

}  // namespace

BOOST_AUTO_TEST_CASE(the_reference_reads_every_golden_model_as_transformers_does) {
  const char* source = std::getenv("DEPTHLENS_SOURCE");
  BOOST_REQUIRE_MESSAGE(source != nullptr, "DEPTHLENS_SOURCE must name the source tree");
  const fs::path models = fs::path(source) / "tests/golden/models";
  BOOST_TEST(folders_of(models).size() == 26U);
  compare_all(models, {.first_layer = 0, .kl = "kl"});
}

BOOST_AUTO_TEST_CASE(the_reference_reads_the_models_of_the_reference_data,
                     *boost::unit_test::precondition(test::with_reference)) {
  for (const char* kind : {"more", "tiny"})
    compare_all(test::reference_path() / "models" / kind, {.first_layer = 1, .kl = "kl_from_final"});
}

BOOST_AUTO_TEST_SUITE_END()
