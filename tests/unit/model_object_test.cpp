// SPDX-License-Identifier: Apache-2.0
// A model class behind the C table: what it is called with, what becomes of what it throws, and that its
// models and lenses are freed.
#include "depthlens/backend/model_object.hpp"

#include "depthlens/backend/work_counters.hpp"

#include <boost/test/unit_test.hpp>

#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>

using namespace depthlens;

BOOST_AUTO_TEST_SUITE(models_behind_the_c_table)

namespace {

int alive = 0;  // models and lenses

struct counted {
  counted() { ++alive; }
  counted(counted&&) noexcept { ++alive; }
  ~counted() { --alive; }
};

struct numbered_lens {
  std::uint64_t n_layers;
  counted life;
};

struct library_error {};  // of no kind that the core knows

class throwing_model {
 public:
  throwing_model(const dlens_weights&, const dlens_model_options& options) {
    if (options.threads == 0) throw std::runtime_error("no threads");
  }
  const dlens_model_info& info() const { return info_; }
  numbered_lens make_lens(std::uint64_t n, const dlens_transport* const*) const {
    if (n == 0) fail(status::data, "no layers");
    return {n, {}};
  }
  void forward(const dlens_batch& batch, const std::vector<const numbered_lens*>& lenses,
               std::int32_t* final_top, const dlens_readings* const*) const {
    if (batch.n_tokens == 0) throw library_error{};
    *final_top = 0;
    for (const numbered_lens* lens : lenses) *final_top = 10 * *final_top + static_cast<int>(lens->n_layers);
  }
  const work_counters& work() const { return work_; }
  double product_rate(std::string_view precision, std::uint32_t threads, double seconds) const {
    if (precision == "f3") throw library_error{};
    return threads * seconds;
  }

 private:
  counted life_;
  dlens_model_info info_{.size = sizeof(dlens_model_info), .pack_tokens = 7};
  work_counters work_;
};

struct library_guard {
  template <class Function>
  static dlens_status run(dlens_error* error, Function&& fn) noexcept {
    return guarded(error, [&] {
      try {
        fn();
      } catch (const library_error&) {
        fail(status::unavailable, "the library says no");
      }
    });
  }
};

using object = model_object<throwing_model, library_guard>;

struct told : dlens_error {
  told() : dlens_error{} { size = sizeof(dlens_error); }
  bool says(std::string_view part) const {
    return std::string_view(message).find(part) != std::string_view::npos;
  }
};

const auto destroy = [](dlens_model* m) { m->destroy(m); };

std::unique_ptr<dlens_model, decltype(destroy)> make_model() {
  const dlens_model_options options{sizeof(dlens_model_options), 1, nullptr, nullptr};
  return {&object::create({}, options), destroy};
}

}  // namespace

BOOST_AUTO_TEST_CASE(models_and_lenses_are_freed_by_the_functions_of_the_table) {
  {
    const auto model = make_model();
    BOOST_TEST(model->info(model.get())->pack_tokens == 7u);
    BOOST_TEST((model->prefix_release == nullptr && model->get_extension == nullptr));
    dlens_lens* lenses[2] = {};
    told e;
    for (std::uint64_t i = 0; i < 2; ++i)
      BOOST_TEST_REQUIRE(model->lens_create(model.get(), 3 + i, nullptr, &lenses[i], &e) == DLENS_OK);
    BOOST_TEST(alive == 3);
    dlens_readings room{};
    room.size = sizeof room;
    const dlens_readings* const readings[] = {&room, &room};
    dlens_batch batch{.size = sizeof(dlens_batch), .n_tokens = 1, .n_lenses = 2, .lenses = lenses};
    std::int32_t top = -1;
    BOOST_TEST(model->forward(model.get(), &batch, &top, readings, &e) == DLENS_OK);
    BOOST_TEST(top == 34);
    for (dlens_lens* lens : lenses) model->lens_destroy(model.get(), lens);
    BOOST_TEST(alive == 1);
  }
  BOOST_TEST(alive == 0);
}

BOOST_AUTO_TEST_CASE(what_the_class_throws_becomes_a_status_and_a_text) {
  const auto model = make_model();
  told e;
  dlens_lens* lens = nullptr;
  BOOST_TEST(model->lens_create(model.get(), 0, nullptr, &lens, &e) == DLENS_DATA);
  BOOST_TEST(e.says("no layers"));
  BOOST_TEST(lens == nullptr);
  dlens_batch batch{.size = sizeof(dlens_batch)};
  BOOST_TEST(model->forward(model.get(), &batch, nullptr, nullptr, &e) == DLENS_UNAVAILABLE);
  BOOST_TEST(e.says("the library says no"));
  double rate = 0;
  BOOST_TEST(model->product_rate(model.get(), "f3", 1, 1, &rate, &e) == DLENS_UNAVAILABLE);
  BOOST_TEST(model->product_rate(model.get(), "f32", 0, 2, &rate, &e) == DLENS_OK);
  BOOST_TEST(rate == 2);  // by one thread at least
  BOOST_CHECK_THROW(object::create({}, {sizeof(dlens_model_options), 0, nullptr, nullptr}),
                    std::runtime_error);
  BOOST_TEST(alive == 1);
}

BOOST_AUTO_TEST_CASE(structs_of_an_older_interface_are_refused) {
  const auto model = make_model();
  told e;
  dlens_batch batch{.size = sizeof(dlens_batch) - 1, .n_tokens = 1};
  BOOST_TEST(model->forward(model.get(), &batch, nullptr, nullptr, &e) == DLENS_INTERNAL);
  BOOST_TEST(e.says("older interface"));
  dlens_lens* lens = nullptr;
  BOOST_TEST_REQUIRE(model->lens_create(model.get(), 1, nullptr, &lens, &e) == DLENS_OK);
  batch = {.size = sizeof(dlens_batch), .n_tokens = 1, .n_lenses = 1, .lenses = &lens};
  dlens_readings short_room{};
  short_room.size = sizeof short_room - 1;
  const dlens_readings* none = nullptr;
  const dlens_readings* too_short = &short_room;
  for (const dlens_readings* const* readings :
       {static_cast<const dlens_readings* const*>(nullptr), static_cast<const dlens_readings* const*>(&none),
        static_cast<const dlens_readings* const*>(&too_short)}) {
    told why;
    BOOST_TEST(model->forward(model.get(), &batch, nullptr, readings, &why) == DLENS_INTERNAL);
    BOOST_TEST(why.says("lens 0 of a pack has no room"));
  }
  model->lens_destroy(model.get(), lens);
  BOOST_CHECK_EXCEPTION(object::create({}, {sizeof(dlens_model_options) - 1, 1, nullptr, nullptr}), error,
                        [](const error& thrown) { return thrown.code() == status::internal; });
}

BOOST_AUTO_TEST_SUITE_END()
