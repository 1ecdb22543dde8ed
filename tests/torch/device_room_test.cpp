// SPDX-License-Identifier: Apache-2.0
// Calls that find no room on a device, played by threads.
#include "plugins/torch/device_room.hpp"

#include <boost/test/unit_test.hpp>

#include <atomic>
#include <chrono>
#include <latch>
#include <stdexcept>
#include <thread>
#include <vector>

BOOST_AUTO_TEST_SUITE(device_rooms)

namespace {

using depthlens::torch_backend::device_room;

[[noreturn]] void out_of_memory() {
  throw c10::OutOfMemoryError({__func__, __FILE__, __LINE__}, "too little memory");
}

}  // namespace

BOOST_AUTO_TEST_CASE(a_call_without_room_is_made_again_alone) {
  constexpr int n = 6;
  device_room room;
  std::latch all_inside(n);
  std::atomic<int> inside{0}, others_of_a_second{0}, ended{0};
  {
    std::vector<std::jthread> callers;
    for (int i = 0; i < n; ++i)
      callers.emplace_back([&, i] {
        bool second = false;
        room.call([&] {
          const int others = inside++;
          if (!second) all_inside.arrive_and_wait();
          if (second) others_of_a_second += others;
          std::this_thread::sleep_for(std::chrono::milliseconds(2));
          --inside;
          if (!second && i % 2 == 0) {
            second = true;
            out_of_memory();
          }
          ++ended;
        });
      });
  }
  BOOST_TEST(ended == n);
  BOOST_TEST(others_of_a_second == 0);
}

BOOST_AUTO_TEST_CASE(a_call_that_the_whole_device_is_too_small_for_fails_and_hinders_no_other) {
  device_room room;
  int made = 0;
  const auto too_large = [&] {
    ++made;
    out_of_memory();
  };
  BOOST_CHECK_THROW(room.call(too_large), c10::OutOfMemoryError);
  BOOST_TEST(made == 2);
  room.call([&] { ++made; });
  BOOST_TEST(made == 3);
}

BOOST_AUTO_TEST_CASE(other_errors_are_not_tried_again) {
  device_room room;
  int made = 0;
  BOOST_CHECK_THROW(room.call([&] {
    ++made;
    throw std::runtime_error("no");
  }),
                    std::runtime_error);
  BOOST_TEST(made == 1);
}

BOOST_AUTO_TEST_SUITE_END()
