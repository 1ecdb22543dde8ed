// SPDX-License-Identifier: Apache-2.0
// Budgets as users say them, and the plans that are made of them.
#include "model/memory_plan.hpp"

#include "support/data_files.hpp"

#include <boost/test/unit_test.hpp>

BOOST_AUTO_TEST_SUITE(memory_plans)

namespace {

using namespace depthlens;

constexpr std::uint64_t mega = 1u << 20;

// A model of 100 blocks of 10 MB and small states.
constexpr dlens_model_needs needs{.size = sizeof(dlens_model_needs),
                                  .pack_tokens = 1024,
                                  .calls = 0,
                                  .stages = 101,
                                  .held_bytes = 1000 * mega,
                                  .streamed_bytes = 20 * mega,
                                  .call_bytes = 5 * mega,
                                  .bytes_per_token = 4096,
                                  .bytes_per_read = 400 * 1024,
                                  .kept_token_bytes = 100 * 1024,
                                  .stage_token_bytes = 1024};

memory_plan plan(std::uint64_t budget, const dlens_model_needs& of = needs, std::uint64_t lens_bytes = 0) {
  work_rules rules{.threads = 2};
  rules.memory.bytes = budget;
  return plan_memory(rules, of, 50 * mega, lens_bytes);
}

}  // namespace

BOOST_AUTO_TEST_CASE(sizes_are_powers_of_1024_or_shares) {
  BOOST_TEST(parse_memory("--memory", "6G").bytes == 6ull << 30);
  BOOST_TEST(parse_memory("--memory", "1.5K").bytes == 1536U);
  BOOST_TEST(parse_memory("--memory", "800M").bytes == 800ull << 20);
  BOOST_TEST(parse_memory("--memory", "2T").bytes == 2ull << 40);
  BOOST_TEST(parse_memory("--memory", "123456").bytes == 123456U);
  BOOST_TEST(parse_memory("--memory", "60%").bytes == 0U);
  BOOST_TEST(parse_memory("--memory", "60%").share == 0.6);
  BOOST_TEST(parse_memory("--memory", "60%").said == "--memory 60%");
  test::check_fails([] { parse_memory("--memory", "6 G"); }, status::usage, "--memory 6 G: expected bytes");
}

BOOST_AUTO_TEST_CASE(units_may_be_written_as_people_write_them) {
  for (const char* six : {"6g", "6GB", "6GiB", "6gib", "6442450944"})
    BOOST_TEST(parse_memory("--memory", six).bytes == 6ull << 30, six);
  for (const char* none : {"6BG", "6Gi", "6B", "6%%", "6GBB"})
    test::check_fails([&] { parse_memory("--memory", none); }, status::usage, "expected bytes");
}

BOOST_AUTO_TEST_CASE(the_budget_is_a_share_of_the_smallest_bound) {
  const std::vector<memory_bound> bounds{{800, "a"}, {500, "b", false}, {900, "c"}};
  BOOST_TEST(grant({}, bounds).there_is.source == "b");
  BOOST_TEST(grant({}, bounds).bytes == 400U);
  BOOST_TEST(grant({}, bounds).source == "80% of 0 KiB, b");
  BOOST_TEST(grant(parse_memory("--memory", "50%"), bounds).bytes == 250U);
}

BOOST_AUTO_TEST_CASE(a_budget_in_bytes_counts_up_to_a_limit_that_is_set_and_beyond_what_happens_to_be_free) {
  const std::vector<memory_bound> bounds{{8000, "a"}, {500, "free", false}, {9000, "c"}};
  const auto granted = [&](const char* said) { return grant(parse_memory("--memory", said), bounds); };
  BOOST_TEST(granted("7").bytes == 7U);
  BOOST_TEST(granted("7K").bytes == 7168U);
  BOOST_TEST(granted("7K").source == "--memory 7K");
  BOOST_TEST(!granted("7K").is_less);
  BOOST_TEST(granted("9K").bytes == 8000U);
  BOOST_TEST(granted("9K").source == "--memory 9K, cut by a");
  BOOST_TEST(granted("7K").most.source == "a");
  BOOST_TEST(granted("9K").is_less);
}

BOOST_AUTO_TEST_CASE(weights_are_held_where_they_fit_and_streamed_where_they_do_not) {
  BOOST_TEST(!plan(2000 * mega).streamed);
  BOOST_TEST(plan(2000 * mega).weights == 1000 * mega);
  const memory_plan small = plan(400 * mega);
  BOOST_TEST(small.streamed);
  BOOST_TEST(small.weights == 20 * mega);
  BOOST_TEST(small.all_weights == 1000 * mega);
  BOOST_TEST(small.fits());
}

BOOST_AUTO_TEST_CASE(no_plan_takes_more_than_its_budget_and_the_least_one_does) {
  const memory_plan none = plan(mega);
  BOOST_TEST(!none.fits());
  test::check_fails([&] { require_fit(none); }, status::unavailable, "the least that would do is --memory");
  BOOST_TEST(plan(none.least).fits());
  BOOST_TEST(!plan(none.least - 1).fits());
  for (std::uint64_t budget = none.least; budget < 3000 * mega; budget += 37 * mega) {
    const memory_plan p = plan(budget);
    BOOST_TEST(p.program + p.weights + p.calls + p.kept + p.wave <= budget);
    BOOST_TEST(
        (!p.streamed || p.wave >= 2 * (256 * needs.bytes_per_token + 64 * needs.bytes_per_read) * 7 / 8));
  }
}

BOOST_AUTO_TEST_CASE(lenses_take_their_share) {
  BOOST_TEST(plan(1300 * mega).streamed == false);
  BOOST_TEST(plan(1300 * mega, needs, 300 * mega).streamed);
  BOOST_TEST(plan(mega, needs, 300 * mega).least == plan(mega).least + 300 * mega);
}

BOOST_AUTO_TEST_CASE(a_backend_that_cannot_stream_needs_room_for_all) {
  dlens_model_needs simple = needs;
  simple.stages = 0;
  BOOST_TEST(!plan(400 * mega, simple).fits());
  BOOST_TEST(!plan(400 * mega, simple).streamed);
  BOOST_TEST(plan(400 * mega, simple).least > 1000 * mega);
}

BOOST_AUTO_TEST_CASE(a_model_that_may_not_be_streamed_needs_room_for_all) {
  work_rules rules{.threads = 2, .streaming = false};
  rules.memory.bytes = 400 * mega;
  const memory_plan p = plan_memory(rules, needs, 50 * mega, 0);
  BOOST_TEST(!p.streamed);
  BOOST_TEST(!p.fits());
}

namespace {

// A backend whose weights lie on a device, where 2 GB are free. Its calls take a tenth of the budget.
dlens_status device_needs(const dlens_weights*, const dlens_model_options* options, dlens_model_needs* out,
                          dlens_error*) {
  *out = needs;
  out->device_bytes = 2000 * mega;
  out->kept_token_bytes = out->stage_token_bytes = 0;
  out->call_bytes = (options->device_memory ? options->device_memory : out->device_bytes) / 20;
  return DLENS_OK;
}

constexpr dlens_backend device_backend{sizeof(dlens_backend), 0, nullptr, nullptr, device_needs};

memory_plan device_plan(const work_rules& rules, std::uint64_t lens_bytes = 0) {
  return plan_memory(rules, *needs_of(&device_backend, nullptr, rules), 50 * mega, lens_bytes);
}

work_rules device_rules(const std::string& size) {
  work_rules rules{.threads = 2};
  rules.memory.bytes = mega;  // counts for nothing there
  rules.device_memory = parse_memory("--device-memory", size);
  return rules;
}

}  // namespace

BOOST_AUTO_TEST_CASE(weights_on_a_device_are_planned_with_its_own_budget) {
  work_rules rules{.threads = 2};
  rules.device_memory = default_device_memory();
  const memory_plan held = device_plan(rules);
  BOOST_TEST(held.on_device);
  BOOST_TEST(!held.streamed);
  BOOST_TEST(held.budget.bytes == 1800 * mega);
  BOOST_TEST(held.budget.source == "90% of 2.0 GiB, free on the device");
  BOOST_TEST(held.program == 0U);
  BOOST_TEST(held.calls == 180 * mega);  // by the budget, not by what is free
  BOOST_TEST(device_plan(rules, 7 * mega).program == 7 * mega);
  const memory_plan small = device_plan(device_rules("800M"));
  BOOST_TEST(small.streamed);
  BOOST_TEST(small.budget.source == "--device-memory 800M");
  BOOST_TEST(small.calls == 80 * mega);
  BOOST_TEST(small.weights + small.calls + small.kept + small.wave <= 800 * mega);
  BOOST_TEST(words_of(small).find(" on the device at a time") != std::string::npos);
  const memory_plan half = device_plan(device_rules("50%"));
  BOOST_TEST(half.budget.bytes == 1000 * mega);
}

BOOST_AUTO_TEST_CASE(what_does_not_fit_on_a_device_is_refused_with_its_own_option) {
  const memory_plan none = device_plan(device_rules("30M"));
  test::check_fails([&] { require_fit(none); }, status::unavailable,
                    "the least that would do is --device-memory ");
}

BOOST_AUTO_TEST_CASE(a_devices_budget_is_refused_where_weights_lie_in_the_process) {
  test::check_fails([] { require_use(device_rules("1G"), &needs); }, status::usage,
                    "--device-memory 1G: the weights lie in the process's own memory here; use --memory");
  work_rules rules{.threads = 2};
  rules.device_memory = parse_memory("DEPTHLENS_DEVICE_MEMORY", "1G");
  require_use(rules, &needs);
}

BOOST_AUTO_TEST_SUITE_END()
