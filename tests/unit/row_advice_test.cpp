// SPDX-License-Identifier: Apache-2.0
// Rows of a mapped tensor that are given back, and asked for again.
#include "depthlens/backend/row_advice.hpp"

#include "depthlens/base/mapped_file.hpp"
#include "support/resident_pages.hpp"

#include <boost/test/unit_test.hpp>

#include <string>
#include <vector>

BOOST_AUTO_TEST_SUITE(advice_on_rows)

using namespace depthlens;
using namespace depthlens::test;

BOOST_AUTO_TEST_CASE(rows_that_are_forgotten_take_no_memory_and_are_read_again,
                     *boost::unit_test::precondition(with_page_counts)) {
  constexpr std::size_t rows = 1024, columns = 256;  // of 1 KiB each
  const scratch_folder folder;
  const mapped_file file(folder.write("f", std::string(rows * columns * sizeof(float), '\x3c')));
  const weight_view view{.type = dtype::f32,
                         .data = file.bytes().data(),
                         .rows = rows,
                         .columns = columns,
                         .row_group = rows,
                         .group_stride = rows,
                         .row_stride = columns,
                         .column_stride = 1};
  std::vector<float> all(rows * columns), again(rows * columns);
  expect_rows(view, 0, rows);
  view.read_rows(0, rows, all.data());
  BOOST_TEST(resident(view.data) >= 1024U);
  forget_rows(view, 512, 512);
  BOOST_TEST(resident(view.data) <= 516U);
  BOOST_TEST(resident(view.data) > 0U);
  forget_rows(view, 0, rows);
  BOOST_TEST(resident(view.data) == 0U);
  view.read_rows(0, rows, again.data());
  BOOST_TEST((again == all));
}

BOOST_AUTO_TEST_SUITE_END()
