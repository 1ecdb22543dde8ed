// SPDX-License-Identifier: Apache-2.0
// Training of lenses: losses, gradients and steps against the same in double, and a state that can be carried
// on.
#include "trained_model.hpp"

#include <boost/test/unit_test.hpp>

using namespace depthlens::testing;
using depthlens::status;

BOOST_AUTO_TEST_SUITE(training)

namespace {

boost::test_tools::assertion_result can_train(boost::unit_test::test_unit_id) {
  const random_model weights({.layers = 1});
  const test_model model(weights);
  boost::test_tools::assertion_result out(training_of(model.get()) != nullptr);
  out.message() << "this backend does not train lenses";
  return out;
}

constexpr dlens_trainer_options sgd(double momentum) {
  return {.optimizer = DLENS_OPTIMIZER_SGD, .momentum = momentum};
}
constexpr dlens_trainer_options adam{
    .optimizer = DLENS_OPTIMIZER_ADAM, .momentum = 0.9, .second_momentum = 0.99};

// Parts in which the way from a state to logits differs.
const std::vector<model_shape>& output_shapes() {
  static const std::vector<model_shape> shapes = {
      {.seed = 301},
      {.seed = 302, .norm_kind = DLENS_NORM_LAYER, .norm_biases = true, .biased_unembed = true},
      {.seed = 303, .norm_offset = 1, .final_softcap = 6},
      {.seed = 309, .long_positions = 8}};
  return shapes;
}

}  // namespace

BOOST_AUTO_TEST_CASE(losses_are_those_of_the_reference, *boost::unit_test::precondition(can_train)) {
  for (const model_shape& shape : output_shapes()) {
    const random_model weights(shape);
    trained_model t(weights, sgd(0), random_sequences(shape, 6, 20, 311));
    t.set_state(random_translators(shape, 312));
    const reference_loss want(weights, t.texts());
    const std::vector<float> got = t.measure();
    for (std::uint32_t i = 0; i < shape.layers; ++i) {
      const double expected = want.of(t.translator(i, shape.width));
      BOOST_TEST(std::abs(static_cast<double>(got[i]) - expected) <= 2e-5 * std::max(1.0, expected));
    }
  }
}

BOOST_AUTO_TEST_CASE(the_loss_is_what_the_lens_reads, *boost::unit_test::precondition(can_train)) {
  const model_shape shape{.seed = 304};
  const random_model weights(shape);
  trained_model t(weights, adam, random_sequences(shape, 6, 20, 313));
  for (int i = 0; i < 5; ++i) t.step(0.01);
  const std::vector<float> loss = t.measure();
  std::vector<transport_spec> lens;
  for (std::uint32_t i = 0; i < shape.layers; ++i) lens.push_back(t.translator(i, shape.width));
  t.model().add_lens(lens);
  const lens_readings read = t.model().forward(t.tokens()).lenses[0];
  for (std::uint32_t i = 0; i < shape.layers; ++i) {
    double sum = 0;
    for (std::size_t p = 0; p < read.kl.size() / shape.layers; ++p)
      sum += static_cast<double>(read.kl[p * shape.layers + i]);
    BOOST_TEST(std::abs(sum * shape.layers / static_cast<double>(read.kl.size()) -
                        static_cast<double>(loss[i])) <= 2e-5);
  }
}

BOOST_AUTO_TEST_CASE(the_unigram_predictor_says_the_mean_of_the_final_outputs,
                     *boost::unit_test::precondition(can_train)) {
  for (const model_shape& shape : output_shapes()) {
    const random_model weights(shape);
    trained_model t(weights, sgd(0), random_sequences(shape, 6, 20, 315));
    BOOST_TEST(std::isnan(t.measure().back()));
    t.step(0.1);
    t.step(0.1);
    BOOST_TEST(std::abs(static_cast<double>(t.measure().back()) -
                        reference_loss(weights, t.texts()).of_unigram()) <= 2e-5);
  }
}

// The momentum after a first step is the gradient.
BOOST_AUTO_TEST_CASE(gradients_are_those_of_finite_differences, *boost::unit_test::precondition(can_train)) {
  constexpr double h = 1e-3;
  for (const model_shape& shape : output_shapes()) {
    const random_model weights(shape);
    const std::size_t d = shape.width;
    trained_model t(weights, sgd(0.5), random_sequences(shape, 4, 12, 321));
    t.set_state(random_translators(shape, 322));
    t.step(0);
    const auto state = t.state();
    const reference_loss loss(weights, t.texts());
    std::mt19937 bits(323);
    double worst = 0, largest = 0;
    for (std::uint32_t layer = 0; layer < shape.layers; ++layer) {
      const transport_spec at = t.translator(layer, d);
      for (int i = 0; i < 8; ++i) {
        const std::size_t a = bits() % (d * d), b = bits() % d;
        const auto change = [&](std::vector<float> transport_spec::*part, std::size_t index, float got) {
          transport_spec moved = at;
          const auto value = [&](float x) {
            (moved.*part)[index] = x;
            return loss.of(moved);
          };
          const float middle = (at.*part)[index], up = middle + static_cast<float>(h),
                      down = middle - static_cast<float>(h);
          const double want =
              (value(up) - value(down)) / (static_cast<double>(up) - static_cast<double>(down));
          worst = std::max(worst, std::abs(static_cast<double>(got) - want));
          largest = std::max(largest, std::abs(want));
        };
        change(&transport_spec::a, a, state.at("weight.mean")[layer * d * d + a]);
        change(&transport_spec::b, b, state.at("bias.mean")[layer * d + b]);
      }
    }
    BOOST_TEST_MESSAGE("gradients: largest " << largest << ", largest difference " << worst);
    BOOST_TEST(worst <= 1e-4 * largest);
  }
}

namespace {

// The gradient of `at` at these parameters, by a trainer that does nothing else.
std::map<std::string, std::vector<float>> gradient_at(const random_model& weights, const sequences& texts,
                                                      const std::map<std::string, std::vector<float>>& at) {
  trained_model t(weights, sgd(0.5), texts);
  t.set_state({{"weight", at.at("weight")}, {"bias", at.at("bias")}});
  t.step(0);
  const auto state = t.state();
  return {{"weight", state.at("weight.mean")}, {"bias", state.at("bias.mean")}};
}

struct parameter {
  std::vector<double> value, mean, variance;
};

void reference_step(parameter& p, const std::vector<float>& gradient, const dlens_trainer_options& o,
                    double rate, int steps) {
  for (std::size_t i = 0; i < gradient.size(); ++i) {
    const auto g = static_cast<double>(gradient[i]);
    p.value[i] -= rate * o.weight_decay * p.value[i];
    if (o.optimizer == DLENS_OPTIMIZER_SGD) {
      p.mean[i] = o.momentum * p.mean[i] + g;
      p.value[i] -= rate * (g + o.momentum * p.mean[i]);
      continue;
    }
    p.mean[i] = o.momentum * p.mean[i] + (1 - o.momentum) * g;
    p.variance[i] = o.second_momentum * p.variance[i] + (1 - o.second_momentum) * g * g;
    const double m = p.mean[i] / (1 - std::pow(o.momentum, steps)),
                 v = p.variance[i] / (1 - std::pow(o.second_momentum, steps));
    p.value[i] -= rate * m / (std::sqrt(v) + 1e-8);
  }
}

}  // namespace

BOOST_AUTO_TEST_CASE(steps_of_both_optimizers_are_those_of_the_reference,
                     *boost::unit_test::precondition(can_train)) {
  const model_shape shape{.seed = 305};
  const random_model weights(shape);
  const sequences texts = random_sequences(shape, 4, 12, 331);
  dlens_trainer_options decaying = sgd(0.9);
  decaying.weight_decay = 0.1;
  for (const dlens_trainer_options& options : {sgd(0.9), decaying, adam}) {
    trained_model t(weights, options, texts);
    const auto start = random_translators(shape, 332);
    t.set_state(start);
    std::map<std::string, parameter> want;
    for (const auto& [name, values] : start)
      want[name] = {{values.begin(), values.end()},
                    std::vector<double>(values.size()),
                    std::vector<double>(values.size())};
    for (int steps = 1; steps <= 4; ++steps) {
      const double rate = 0.02 / steps;
      for (const auto& [name, gradient] : gradient_at(weights, texts, t.state()))
        reference_step(want[name], gradient, options, rate, steps);
      t.step(rate);
    }
    const auto got = t.state();
    for (const auto& [name, p] : want) {
      double worst = 0;
      for (std::size_t i = 0; i < p.value.size(); ++i)
        worst = std::max(worst, std::abs(static_cast<double>(got.at(name)[i]) - p.value[i]));
      BOOST_TEST(worst <= 1e-6, name << " differs by " << worst);
    }
  }
}

BOOST_AUTO_TEST_CASE(a_limited_gradient_keeps_its_direction, *boost::unit_test::precondition(can_train)) {
  const model_shape shape{.seed = 306};
  const random_model weights(shape);
  const sequences texts = random_sequences(shape, 4, 12, 341);
  const auto start = random_translators(shape, 342);
  dlens_trainer_options limited = sgd(0.5);
  limited.gradient_limit = 0.01;
  trained_model t(weights, limited, texts);
  t.set_state(start);
  t.step(0);
  const auto got = t.state(), whole = gradient_at(weights, texts, start);
  const std::size_t n = std::size_t{shape.width} * shape.width, d = shape.width;
  for (std::uint32_t layer = 0; layer < shape.layers; ++layer) {
    double square = 0, dot = 0, of_whole = 0;
    const auto add = [&](const std::vector<float>& a, const std::vector<float>& b, std::size_t size) {
      for (std::size_t i = layer * size; i < (layer + 1) * size; ++i) {
        square += static_cast<double>(a[i]) * static_cast<double>(a[i]);
        of_whole += static_cast<double>(b[i]) * static_cast<double>(b[i]);
        dot += static_cast<double>(a[i]) * static_cast<double>(b[i]);
      }
    };
    add(got.at("weight.mean"), whole.at("weight"), n);
    add(got.at("bias.mean"), whole.at("bias"), d);
    BOOST_TEST(std::sqrt(of_whole) > 0.01);
    BOOST_TEST(std::abs(std::sqrt(square) - 0.01) <= 1e-6);
    BOOST_TEST(dot >= 0.99999 * std::sqrt(square * of_whole));
  }
}

BOOST_AUTO_TEST_CASE(the_loss_falls_at_every_layer, *boost::unit_test::precondition(can_train)) {
  for (const model_shape& shape : output_shapes()) {
    const random_model weights(shape);
    trained_model t(weights, adam, random_sequences(shape, 6, 20, 351));
    const std::vector<float> before = t.measure();
    for (int i = 0; i < 60; ++i) t.step(0.01 * (1 - i / 60.0));
    const std::vector<float> after = t.measure();
    for (std::uint32_t i = 0; i < shape.layers; ++i) BOOST_TEST(after[i] < 0.5f * before[i]);
  }
}

BOOST_AUTO_TEST_CASE(biases_alone_leave_the_weights_zero, *boost::unit_test::precondition(can_train)) {
  const model_shape shape{.seed = 307};
  const random_model weights(shape);
  dlens_trainer_options options = adam;
  options.flags = DLENS_TRAINER_BIAS_ONLY;
  trained_model t(weights, options, random_sequences(shape, 6, 20, 361));
  const std::vector<float> before = t.measure();
  t.fit(DLENS_FIT_TRANSLATORS, 1e-3);
  for (int i = 0; i < 30; ++i) t.step(0.02);
  const std::vector<float> after = t.measure();
  const auto state = t.state();
  BOOST_TEST((state.at("weight") == std::vector<float>(state.at("weight").size(), 0.0f)));
  BOOST_TEST(state.count("weight.mean") == 0U);
  for (std::uint32_t i = 0; i < shape.layers; ++i) BOOST_TEST(after[i] < before[i]);
}

BOOST_AUTO_TEST_CASE(a_trainer_goes_on_from_the_state_of_another_to_the_bit,
                     *boost::unit_test::precondition(can_train)) {
  const model_shape shape{.seed = 308};
  const random_model weights(shape);
  const sequences texts = random_sequences(shape, 6, 20, 371);
  for (const dlens_trainer_options& options : {sgd(0.9), adam}) {
    trained_model whole(weights, options, texts), first(weights, options, texts),
        second(weights, options, texts);
    std::vector<float> loss;
    for (int i = 0; i < 6; ++i) loss = whole.step(0.01);
    for (int i = 0; i < 3; ++i) first.step(0.01);
    second.set_state(first.state());
    std::vector<float> continued;
    for (int i = 0; i < 3; ++i) continued = second.step(0.01);
    BOOST_TEST(continued == loss, boost::test_tools::per_element());
    BOOST_TEST((second.state() == whole.state()));
  }
}

// A plain step in coordinates x = P (h - c) moves the translator by P'P, and leaves its reading at h = c to
// the bias.
BOOST_AUTO_TEST_CASE(steps_in_fitted_coordinates_are_those_of_the_reference,
                     *boost::unit_test::precondition(can_train)) {
  constexpr double rate = 0.05;
  const model_shape shape{.seed = 310};
  const random_model weights(shape);
  const std::size_t d = shape.width;
  trained_model t(weights, sgd(0), random_sequences(shape, 40, 20, 401));
  t.set_state(random_translators(shape, 402));
  t.fit(DLENS_FIT_COORDINATES, 1e-6);
  const auto before = t.state(), gradient = gradient_at(weights, t.texts(), before);
  t.step(rate);
  const auto after = t.state();
  const reference_loss states(weights, t.texts());
  const auto n = static_cast<double>(states.states().size());
  for (std::uint32_t layer = 0; layer < shape.layers; ++layer) {
    const auto at = [&](const std::map<std::string, std::vector<float>>& s, const char* name, std::size_t i,
                        std::size_t size) { return static_cast<double>(s.at(name)[layer * size + i]); };
    std::vector<row> p(d, row(d)), g(d, row(d)), in_x(d, row(d));
    row center(d);
    for (std::size_t i = 0; i < d; ++i) {
      center[i] = at(after, "center", i, d);
      for (std::size_t k = 0; k < d; ++k) p[i][k] = at(after, "whiten", i * d + k, d * d);
    }
    // The states are white there.
    double worst = 0;
    std::vector<row> x;
    for (const auto& state : states.states()) {
      row& v = x.emplace_back(d);
      for (std::size_t i = 0; i < d; ++i)
        for (std::size_t k = 0; k < d; ++k) v[i] += p[i][k] * (state[layer][k] - center[k]);
    }
    for (std::size_t i = 0; i < d; ++i)
      for (std::size_t k = 0; k < d; ++k) {
        double product = 0;
        for (const row& v : x) product += v[i] * v[k] / n;
        worst = std::max(worst, std::abs(product - (i == k ? 1 : 0)));
      }
    BOOST_TEST(worst <= 0.01, "covariance " << worst);
    for (std::size_t i = 0; i < d; ++i)
      for (std::size_t k = 0; k < d; ++k)
        g[i][k] = at(gradient, "weight", i * d + k, d * d) - at(gradient, "bias", i, d) * center[k];
    for (std::size_t i = 0; i < d; ++i)
      for (std::size_t j = 0; j < d; ++j)
        for (std::size_t k = 0; k < d; ++k) in_x[i][j] += g[i][k] * p[j][k];
    worst = 0;
    for (std::size_t i = 0; i < d; ++i) {
      double shift = -rate * at(gradient, "bias", i, d);
      for (std::size_t k = 0; k < d; ++k) {
        double change = 0;
        for (std::size_t j = 0; j < d; ++j) change -= rate * in_x[i][j] * p[j][k];
        shift -= change * center[k];
        worst = std::max(worst, std::abs(at(after, "weight", i * d + k, d * d) -
                                         at(before, "weight", i * d + k, d * d) - change));
      }
      worst = std::max(worst, std::abs(at(after, "bias", i, d) - at(before, "bias", i, d) - shift));
    }
    BOOST_TEST(worst <= 1e-5, "step " << worst);
  }
}

// Least squares leave a remainder that has nothing to do with the states, and predictions of the final
// state's size.
BOOST_AUTO_TEST_CASE(a_fit_is_the_regression_of_the_final_state, *boost::unit_test::precondition(can_train)) {
  for (const model_shape& shape : output_shapes()) {
    const random_model weights(shape);
    const std::size_t d = shape.width;
    trained_model t(weights, adam, random_sequences(shape, 40, 20, 381));
    t.fit(DLENS_FIT_TRANSLATORS, 1e-9);
    const reference_loss want(weights, t.texts());
    const auto n = static_cast<double>(want.states().size());
    for (std::uint32_t layer = 0; layer < shape.layers; ++layer) {
      const transport_spec lens = t.translator(layer, d);
      row h_mean(d), left_mean(d);
      std::vector<row> left;
      double square = 0;
      for (const auto& at : want.states()) {
        const row& h = at[layer];
        row y = at.back(), said = h;
        double mean = 0, variance = 0;
        for (const double v : y) mean += v / static_cast<double>(d);
        if (shape.norm_kind != DLENS_NORM_LAYER) mean = 0;
        for (const double v : y) variance += (v - mean) * (v - mean) / static_cast<double>(d);
        for (std::size_t i = 0; i < d; ++i) {
          said[i] += static_cast<double>(lens.b[i]);
          for (std::size_t k = 0; k < d; ++k) said[i] += static_cast<double>(lens.a[i * d + k]) * h[k];
        }
        for (const double v : said) square += v * v / n;
        for (std::size_t i = 0; i < d; ++i) {
          said[i] -= (y[i] - mean) / std::sqrt(variance + 1e-5);
          h_mean[i] += h[i] / n;
          left_mean[i] += said[i] / n;
        }
        left.push_back(said);
      }
      BOOST_TEST(std::abs(square / static_cast<double>(d) - 1) <= 1e-3);
      double worst = 0;
      for (std::size_t i = 0; i < d; ++i)
        for (std::size_t k = 0; k < d; ++k) {
          double together = 0;
          for (std::size_t p = 0; p < left.size(); ++p)
            together += (left[p][i] - left_mean[i]) * (want.states()[p][layer][k] - h_mean[k]) / n;
          worst = std::max(worst, std::abs(together));
        }
      BOOST_TEST(worst <= 1e-3);
    }
  }
}

BOOST_AUTO_TEST_CASE(options_and_calls_that_make_no_sense_are_refused,
                     *boost::unit_test::precondition(can_train)) {
  const model_shape shape{.seed = 309};
  const random_model weights(shape);
  const sequences texts = random_sequences(shape, 4, 12, 391);
  const auto refused = [](auto&& fn, const std::string& word) {
    BOOST_CHECK_EXCEPTION(fn(), depthlens::error, [&](const depthlens::error& e) {
      return e.code() == status::internal && std::string(e.what()).find(word) != std::string::npos;
    });
  };
  refused([&] { trained_model(weights, {.optimizer = 7}, texts); }, "no optimizer 7");
  refused([&] { trained_model(weights, sgd(1), texts); }, "range");
  refused([&] { trained_model(weights, sgd(0), {{5}}).step(0.1); }, "reads nothing");
}

BOOST_AUTO_TEST_SUITE_END()
