// SPDX-License-Identifier: Apache-2.0
// The residual stream at the positions that are read, where the host asks for it.
#include "agreement.hpp"

#include <boost/test/unit_test.hpp>

BOOST_AUTO_TEST_SUITE(hidden_states)

using namespace depthlens;
using namespace depthlens::testing;

BOOST_AUTO_TEST_CASE(states_of_every_read_are_those_of_the_reference) {
  const model_shape shape{.seed = 61};
  const random_model weights(shape);
  const test_model model(weights);
  const sequences texts = random_sequences(shape, 7, 20, 62);
  pack p;
  std::vector<std::pair<std::size_t, std::size_t>> places;
  for (std::size_t s = 0; s < texts.size(); ++s) {
    const auto path = p.add_sequence(texts[s]);
    for (const std::size_t position : {texts[s].size() - 1, std::size_t{0}, texts[s].size() / 2}) {
      p.add_read(path[position], {-1});
      places.emplace_back(s, position);
    }
  }
  const std::size_t layers = shape.layers + 1, d = shape.width;
  std::vector<float> hidden(places.size() * layers * d);
  std::vector<std::int32_t> top(places.size());
  dlens_batch batch = model.batch_of(p);
  batch.hidden = hidden.data();
  depthlens::checked_call(model.table().forward, &model.table(), &batch, top.data(),
                          static_cast<const dlens_readings* const*>(nullptr));
  const reference::model expected(weights_view(weights).weights);
  double worst = 0;
  for (std::size_t read = 0; read < places.size(); ++read) {
    const auto states = expected.residuals(texts[places[read].first]);
    for (std::size_t layer = 0; layer < layers; ++layer) {
      const auto& want = states[layer][places[read].second];
      double largest = 0;
      for (const double v : want) largest = std::max(largest, std::abs(v));
      for (std::size_t i = 0; i < d; ++i) {
        const auto got = static_cast<double>(hidden[(read * layers + layer) * d + i]);
        worst = std::max(worst, std::abs(got - want[i]) / largest);
      }
    }
  }
  BOOST_TEST(worst <= 1e-5);
}

BOOST_AUTO_TEST_SUITE_END()
