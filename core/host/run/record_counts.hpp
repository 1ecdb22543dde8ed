// SPDX-License-Identifier: Apache-2.0
// Whether a run has read anything: a run of other data than was meant looks as complete as any.
#pragma once

#include <boost/json.hpp>

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace depthlens {

// How many records of a data set have which reason; "kept" is one.
struct set_counts {
  std::string study, set;
  std::vector<std::pair<std::string, std::uint64_t>> reasons;
};
// "counts" of a manifest, in its order; what has another form is passed over.
std::vector<set_counts> counts_in(const boost::json::object& manifest);

// Says for each data set of which not all records are kept how many are, and why others are not.
void tell_what_is_kept(const boost::json::object& manifest);

// From "counts" and "last_work" of a manifest: true where no record is kept and no position was read. Then a
// warning says why the records were not kept.
bool warn_if_nothing_read(const boost::json::object& manifest);

}  // namespace depthlens
