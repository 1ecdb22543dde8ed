// SPDX-License-Identifier: Apache-2.0
// What no backend is given to compute: parts that are known one by one but do not go together.
#include "depthlens/backend/checked_architecture.hpp"
#include "depthlens/reference/weights.hpp"
#include "depthlens/reference/weights_view.hpp"
#include "support/model_bytes.hpp"

#include <boost/test/unit_test.hpp>

#include <string>

using namespace depthlens;
using depthlens::test::fails_with;

BOOST_AUTO_TEST_SUITE(checked_architectures)

namespace {

constexpr std::uint32_t clamped = DLENS_ACTIVATION_CLAMPED;

// change(view) of a model of that shape makes it one that is refused for what it has beside the clamped gate.
template <class Change>
bool refuses(const reference::model_shape& shape, const std::string& with, const Change& change) {
  const reference::random_model model(shape);
  reference::weights_view view(model);
  change(view);
  return fails_with(status::unavailable, "the model asks for \"clamped\" with " + with,
                    [&] { checked_architecture(view.weights, reference::known_ops); });
}
bool refuses(const reference::model_shape& shape, const std::string& with) {
  return refuses(shape, with, [](auto&) {});
}

}  // namespace

BOOST_AUTO_TEST_CASE(clamped_gates_are_refused_where_a_part_has_no_gate) {
  const std::string gate = "\"no_gate\", having no tensor block.";
  BOOST_TEST(refuses({.activation = clamped, .gated = false}, gate + "0.gate"));
  BOOST_TEST(refuses({.activation = clamped, .gated = false, .experts = reference::expert_shape{}},
                     gate + "0.expert.0.gate"));
  const auto without = [](const char* name) {
    return [name](reference::weights_view& v) { v.tensor(name).name.size -= 1; };
  };
  const reference::expert_shape experts{.shared = 24, .dense_layers = 1};
  const reference::model_shape gated{.activation = clamped, .experts = experts};
  for (const char* part : {"0.gate", "1.expert.4.gate", "2.shared_gate"}) {
    const std::string name = std::string("block.") + part;
    BOOST_TEST(refuses(gated, gate + part, without(name.c_str())), part);
  }
  const reference::random_model model(gated);
  BOOST_CHECK_NO_THROW(checked_architecture(reference::weights_view(model).weights, reference::known_ops));
}

BOOST_AUTO_TEST_CASE(layer_inputs_have_no_clamped_gate) {
  BOOST_TEST(refuses({.activation = clamped, .layer_inputs = 8}, "\"layer_inputs\" in block 0"));
}

BOOST_AUTO_TEST_CASE(other_activations_need_no_gate) {
  const reference::random_model model({.activation = DLENS_ACTIVATION_RELU, .gated = false});
  BOOST_CHECK_NO_THROW(checked_architecture(reference::weights_view(model).weights, reference::known_ops));
}

BOOST_AUTO_TEST_SUITE_END()
