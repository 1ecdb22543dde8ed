// SPDX-License-Identifier: Apache-2.0
// A good experiment in C. The files bad_*.c define one of the macros below and include this: each has one
// fault, which depthlens-validate must find, as tests/program/conformance_test.cpp says.
#include "depthlens/abi/experiment.h"
#include "depthlens/abi/figures.h"
#include "depthlens/abi/plugin.h"

#include <string.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#ifndef ID
#define ID "experiment." NAME
#endif
#ifndef ON_ENTRY
#define ON_ENTRY
#endif
#ifndef ON_INIT
#define ON_INIT
#endif
#ifndef ON_DEINIT
#define ON_DEINIT
#endif
#ifndef ON_CREATE
#define ON_CREATE
#endif
#ifndef ON_PLAN
#define ON_PLAN
#endif
#ifndef ON_CONSUME
#define ON_CONSUME
#endif
#ifndef ON_FINISH
#define ON_FINISH
#endif
#ifndef VALUE
#define VALUE \
  { .type = DLENS_I64, .as.i64 = (int64_t)record->n_fields }
#endif
#ifndef DRAWN
#define DRAWN "value"
#endif
#ifndef OPTION_ID
#define OPTION_ID "way"
#endif
#ifndef FOREIGN_INTERFACE
#define FOREIGN_INTERFACE NULL
#endif
#ifndef MAJOR
#define MAJOR DLENS_ABI_MAJOR
#endif

static const dlens_column id_column = {sizeof(dlens_column), DLENS_I64, "prompt_id", "see dlens_record"};
static const dlens_column value_column = {sizeof(dlens_column), DLENS_I64, "value", "fields of the record"};
static const dlens_column *const columns[] = {&id_column, &value_column};
static const dlens_table rows = {
    .size = sizeof rows, .id = "rows", .file = NAME "_{lens}", .columns = columns, .n_columns = 2};
static const dlens_table *const tables[] = {&rows};
static const dlens_description description = {.size = sizeof description, .tables = tables, .n_tables = 1};
static const dlens_panel panel = {
    .size = sizeof panel, .title = "", .x = "prompt_id", .y = DRAWN, .x_label = "", .y_label = ""};
static const dlens_panel *const panels[] = {&panel};
static const dlens_figure figure = {.size = sizeof figure,
                                    .kind = DLENS_FIGURE_LINES,
                                    .id = "f",
                                    .file = NAME "_{lens}",
                                    .title = "F",
                                    .table = "rows",
                                    .panels = panels,
                                    .n_panels = 1};
static const dlens_figure *const figures[] = {&figure};
static const dlens_host *host;
static int64_t calls;  // for faults that keep a state

static dlens_status refuse(dlens_error *error, dlens_status code, const char *what) {
  snprintf(error->message, sizeof error->message, "%s", what);
  return error->code = code;
}

static dlens_status describe(const dlens_study *study, const dlens_description **out, dlens_error *error) {
  (void)study, (void)error;
  *out = &description;
  return DLENS_OK;
}

static dlens_status list(const dlens_study *study, const dlens_figure *const **out, uint64_t *n,
                         dlens_error *error) {
  (void)study, (void)error;
  *out = figures, *n = 1;
  return DLENS_OK;
}

static const void *get_extension(const dlens_study *study, const char *id) {
  static const dlens_figures table = {.size = sizeof table, .list = list};
  (void)study;
  return strcmp(id, DLENS_FIGURES_INTERFACE) == 0 ? &table : NULL;
}

static dlens_status plan(const dlens_study *study, const dlens_record *record, const dlens_tops *tops,
                         const dlens_request *request, dlens_error *error) {
  (void)study, (void)record;
  const int32_t ids[] = {1, 2, 3};
  uint32_t sequence = 0, number = 0;
  ON_PLAN
  if (tops->n_rounds > 0) return DLENS_OK;
  const dlens_status status = request->add_sequence(request, ids, 3, &sequence, error);
  const dlens_read read = {.size = sizeof read, .sequence = sequence, .position = 2};
  return status != DLENS_OK ? status : request->add_read(request, &read, &number, error);
}

static dlens_status consume(const dlens_study *study, const dlens_record *record,
                            const dlens_answers *answers, uint32_t lens, const dlens_sink *sink,
                            dlens_error *error) {
  (void)study, (void)answers, (void)lens;
  const dlens_text nothing = {NULL, 0};
  const dlens_status status = sink->count(sink, nothing, record->left_out, 1, error);
  ON_CONSUME
  const dlens_value row[] = {{.type = DLENS_I64, .as.i64 = (int64_t)record->index}, VALUE};
  return status != DLENS_OK ? status : sink->append(sink, 0, row, 2, error);
}

static dlens_status finish(const dlens_study *study, const dlens_rows *all, uint32_t lens,
                           const dlens_sink *sink, dlens_error *error) {
  (void)study, (void)lens, (void)sink;
  const dlens_row *row = NULL;
  const dlens_status status = all->next(all, &row, error);
  ON_FINISH
  return status;
}

static void destroy(dlens_study *study) { free(study); }

static dlens_status study_create(const dlens_run *run, const dlens_pair *options, uint64_t n,
                                 dlens_study **out, dlens_error *error) {
  (void)run, (void)options, (void)n, (void)error;
  ON_CREATE
  dlens_study *s = calloc(1, sizeof *s);
  if (s == NULL) return refuse(error, DLENS_UNAVAILABLE, "out of memory");
  *s = (dlens_study){.size = sizeof *s,
                     .describe = describe,
                     .plan = plan,
                     .consume = consume,
                     .finish = finish,
                     .destroy = destroy,
                     .get_extension = get_extension};
  *out = s;
  return DLENS_OK;
}

static const char *const ways[] = {"one", "two", NULL};
static const dlens_option way = {.size = sizeof way,
                                 .type = DLENS_OPTION_CHOICE,
                                 .id = OPTION_ID,
                                 .help = "A way.",
                                 .fallback = "one",
                                 .choices = ways};
static const dlens_option *const all_options[] = {&way};
static const char *const kinds[] = {DLENS_KIND_PROMPT, NULL};
static const dlens_input prompts = {.size = sizeof prompts, .set = "", .kinds = kinds};
static const dlens_input *const inputs[] = {&prompts};
static const dlens_experiment experiment = {.size = sizeof experiment,
                                            .options = all_options,
                                            .n_options = 1,
                                            .inputs = inputs,
                                            .n_inputs = 1,
                                            .study_create = study_create};

static const void *get_interface(const char *id) {
  return strcmp(id, DLENS_EXPERIMENT_INTERFACE) == 0 ? (const void *)&experiment : FOREIGN_INTERFACE;
}

static dlens_status init(const dlens_host *given, const char *path, dlens_error *error) {
  (void)path, (void)error, (void)calls;
  host = given;
  ON_INIT
  return host != NULL ? DLENS_OK : DLENS_INTERNAL;
}

static void deinit(void) { ON_DEINIT }

const dlens_plugin *dlens_entry_v1(void) {
  static dlens_plugin plugin = {.size = sizeof plugin,
                                .abi_major = MAJOR,
                                .abi_minor = DLENS_ABI_MINOR,
                                .id = ID,
                                .version = "1.0.0",
                                .summary = "A trial",
                                .license = "Apache-2.0",
                                .build = "C",
                                .init = init,
                                .deinit = deinit,
                                .get_interface = get_interface};
  ON_ENTRY
  return &plugin;
}
