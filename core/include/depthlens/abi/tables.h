// SPDX-License-Identifier: Apache-2.0
// The interface "depthlens.tables/1" of a plugin tables.NAME: finished tables in other forms than CSV. A
// plugin that offers it is loaded where a run is asked for such a form.
#ifndef DLENS_ABI_TABLES_H
#define DLENS_ABI_TABLES_H

#include "types.h"

#ifdef __cplusplus
extern "C" {
#endif

#define DLENS_TABLES_INTERFACE "depthlens.tables/1"

// A file on its way: the host puts it in place when it is complete.
typedef struct dlens_output {
  uint32_t size;
  uint32_t reserved;
  const void *self;
  // Takes the next n bytes. A failure, which may be that the user wants to stop, ends the file: the plugin
  // returns its status and message. [main]
  dlens_status (*write)(const struct dlens_output *, const void *bytes, uint64_t n, dlens_error *error);
} dlens_output;

enum {
  DLENS_CSV_BARE_TEXTS = 1  // an empty text stands for none, quoted or not; else only one without quotes does
};

// A finished CSV and what its columns are.
typedef struct dlens_csv_table {
  uint32_t size;
  uint32_t flags;                      // DLENS_CSV_...
  const char *file;                    // its path; it may have no line, and then has no rows
  const dlens_column *const *columns;  // in the order of its first line
  uint64_t n_columns;
  const dlens_pair *about;  // what the file says of itself, for people and programs
  uint64_t n_about;
} dlens_csv_table;

typedef struct dlens_tables {
  uint32_t size;
  uint32_t reserved;
  const char *const *forms;  // that it writes, each the ending of its files: "parquet"; NULL-terminated
  // Writes a table in a form. The same table gives the same bytes. Memory does not grow with its rows. An
  // empty field of a column of numbers is none, and so is NaN. [main]
  dlens_status (*write)(const char *form, const dlens_csv_table *table, const dlens_output *to,
                        dlens_error *error);
} dlens_tables;

DLENS_ASSERT(offsetof(dlens_output, write) == 16);
DLENS_ASSERT(offsetof(dlens_csv_table, n_about) == 40);
DLENS_ASSERT(offsetof(dlens_tables, write) == 16);

#ifdef __cplusplus
}
#endif

#endif
