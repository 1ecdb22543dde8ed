// SPDX-License-Identifier: Apache-2.0
// The version of the depthlens plugin interface: of plugin.h, host.h, types.h, names.h and experiment.h,
// which are a candidate for 1.0. A host takes every plugin of its major number. A newer minor number may add
// members at the tails of structs that have a size, values of enums, bits of flags, ids of interfaces and
// services, and fields of records; it changes and takes away nothing. Who meets a value, bit or id that it
// does not know refuses it by name, and passes over a field that it does not know; tails: see types.h. A
// plugin that cannot do without what a minor number has added says so (dlens_plugin.least_minor).
//
// backend.h, trainer.h, figures.h and tables.h still change: each has a revision of its own, the number in
// the id of its interface, and a host takes its own revision alone.
#ifndef DLENS_ABI_VERSION_H
#define DLENS_ABI_VERSION_H

#define DLENS_ABI_MAJOR 1
#define DLENS_ABI_MINOR 0

#endif
