// SPDX-License-Identifier: Apache-2.0
// Whether a run has read anything: a run of other data than was meant looks as complete as any.
#pragma once

#include <boost/json.hpp>

namespace depthlens {

// Says for each data set of which not all records are kept how many are, and why others are not.
void tell_what_is_kept(const boost::json::object& manifest);

// From "counts" and "last_work" of a manifest: true where no record is kept and no position was read. Then a
// warning says why the records were not kept.
bool warn_if_nothing_kept(const boost::json::object& manifest);

}  // namespace depthlens
