// SPDX-License-Identifier: Apache-2.0
// An experiment in plain C: how undecided is each layer about the next token? One row for each prompt and
// layer. It includes the C interface alone.
#include "depthlens/abi/experiment.h"
#include "depthlens/abi/figures.h"
#include "depthlens/abi/plugin.h"

#include <string.h>
#include <stdio.h>
#include <stdlib.h>

// What a study is made of: the C tables that the host sees, and what the functions need.
typedef struct entropy_study {
  dlens_study table;
  const dlens_run *run;
} entropy_study;

static const dlens_column id_column = {sizeof(dlens_column), DLENS_I64, "prompt_id", "row, from 0"};
static const dlens_column layer_column = {sizeof(dlens_column), DLENS_I64, "layer", "0 = embeddings"};
static const dlens_column entropy_column = {sizeof(dlens_column), DLENS_F32, "entropy", "of the guess, nats"};
static const dlens_column *const columns[] = {&id_column, &layer_column, &entropy_column};
static const dlens_table rows = {
    .size = sizeof(dlens_table), .id = "rows", .file = "entropy_{lens}", .columns = columns, .n_columns = 3};
static const dlens_panel panel = {.size = sizeof(dlens_panel),
                                  .flags = DLENS_PANEL_LAYER_X,
                                  .title = "",
                                  .x = "layer",
                                  .y = "entropy",
                                  .x_label = "Layer",
                                  .y_label = "Entropy (nats)"};
static const dlens_panel *const panels[] = {&panel};
static const dlens_figure figure = {.size = sizeof(dlens_figure),
                                    .kind = DLENS_FIGURE_LINES,
                                    .id = "entropy",
                                    .file = "entropy_{lens}",
                                    .title = "Entropy by layer",
                                    .table = "rows",
                                    .series = "prompt_id",
                                    .panels = panels,
                                    .n_panels = 1};
static const dlens_table *const tables[] = {&rows};
static const dlens_figure *const figures[] = {&figure};
static const dlens_description description = {
    .size = sizeof(dlens_description), .tables = tables, .n_tables = 1};

static dlens_text text_of(const char *s) {
  const dlens_text out = {s, strlen(s)};
  return out;
}

static dlens_status refuse(dlens_error *error, dlens_status code, const char *message) {
  error->code = code;
  snprintf(error->message, sizeof error->message, "%s", message);
  return code;
}

static dlens_text field_of(const dlens_record *record, const char *key) {
  for (uint64_t i = 0; i < record->n_fields; ++i) {
    const dlens_text k = record->fields[i].key;
    if (k.size == strlen(key) && memcmp(k.data, key, k.size) == 0) return record->fields[i].value;
  }
  return text_of("");
}

static dlens_status describe(const dlens_study *study, const dlens_description **out, dlens_error *error) {
  (void)study, (void)error;
  *out = &description;
  return DLENS_OK;
}

static dlens_status list_figures(const dlens_study *study, const dlens_figure *const **out, uint64_t *n,
                                 dlens_error *error) {
  (void)study, (void)error;
  *out = figures;
  *n = 1;
  return DLENS_OK;
}

static const void *get_extension(const dlens_study *study, const char *id) {
  static const dlens_figures table = {.size = sizeof(dlens_figures), .list = list_figures};
  (void)study;
  return strcmp(id, DLENS_FIGURES_INTERFACE) == 0 ? &table : NULL;
}

static dlens_status plan(const dlens_study *study, const dlens_record *record, const dlens_tops *tops,
                         const dlens_request *request, dlens_error *error) {
  if (tops->n_rounds > 0) return DLENS_OK;
  const dlens_tokenizer *tokenizer = ((const entropy_study *)study->self)->run->tokenizer;
  const dlens_text prompt = field_of(record, "prompt");
  const uint64_t room = prompt.size + 8;
  int32_t *ids = malloc(room * sizeof *ids);
  if (ids == NULL) return refuse(error, DLENS_INTERNAL, "out of memory");
  uint64_t n = 0;
  uint32_t sequence = 0, number = 0;
  dlens_status status = tokenizer->encode(tokenizer, prompt, DLENS_ENCODE_PROMPT, ids, room, &n, error);
  if (status == DLENS_OK && n > room) status = refuse(error, DLENS_INTERNAL, "a prompt of too many tokens");
  if (status == DLENS_OK && n > 0) {
    status = request->add_sequence(request, ids, n, &sequence, error);
    const dlens_read last = {.size = sizeof last, .sequence = sequence, .position = n - 1};
    if (status == DLENS_OK) status = request->add_read(request, &last, &number, error);
  }
  free(ids);
  return status;
}

static dlens_status consume(const dlens_study *study, const dlens_record *record,
                            const dlens_answers *answers, uint32_t lens, const dlens_sink *sink,
                            dlens_error *error) {
  (void)study, (void)lens;
  const int read = record->left_out.size == 0 && answers->tops->n_rounds > 0;
  const dlens_text reason = record->left_out.size > 0 ? record->left_out : text_of(read ? "" : "empty");
  dlens_status status = sink->count(sink, text_of(""), reason, 1, error);
  if (status != DLENS_OK || !read) return status;
  const dlens_reading *reading = NULL;
  status = answers->reading(answers, 0, 0, &reading, error);
  for (uint32_t i = 0; status == DLENS_OK && i < reading->n_layers; ++i) {
    const dlens_value row[] = {{.type = DLENS_I64, .as.i64 = (int64_t)record->index},
                               {.type = DLENS_I64, .as.i64 = reading->layers[i]},
                               {.type = DLENS_F32, .as.f64 = (double)reading->entropy[i]}};
    status = sink->append(sink, 0, row, 3, error);
  }
  return status;
}

static void destroy(dlens_study *study) { free(study->self); }

static dlens_status study_create(const dlens_run *run, const dlens_pair *options, uint64_t n_options,
                                 dlens_study **out, dlens_error *error) {
  (void)options, (void)n_options;
  entropy_study *made = calloc(1, sizeof *made);
  if (made == NULL) return refuse(error, DLENS_INTERNAL, "out of memory");
  made->run = run;
  made->table.size = sizeof made->table;
  made->table.self = made;
  made->table.describe = describe;
  made->table.plan = plan;
  made->table.consume = consume;
  made->table.destroy = destroy;
  made->table.get_extension = get_extension;
  *out = &made->table;
  return DLENS_OK;
}

static const char *const kinds[] = {"prompt", NULL};
static const dlens_input prompts = {.size = sizeof(dlens_input), .set = "", .kinds = kinds};
static const dlens_input *const inputs[] = {&prompts};
static const dlens_experiment experiment = {
    .size = sizeof(dlens_experiment), .inputs = inputs, .n_inputs = 1, .study_create = study_create};

static const void *get_interface(const char *id) {
  return strcmp(id, DLENS_EXPERIMENT_INTERFACE) == 0 ? &experiment : NULL;
}

const dlens_plugin *dlens_entry_v1(void) {
  static const dlens_plugin plugin = {.size = sizeof(dlens_plugin),
                                      .abi_major = DLENS_ABI_MAJOR,
                                      .abi_minor = DLENS_ABI_MINOR,
                                      .id = "experiment.entropy",
                                      .version = "1.0.0",
                                      .summary = "How undecided each layer is about the next token",
                                      .license = "Apache-2.0",
                                      .build = "C",
                                      .get_interface = get_interface};
  return &plugin;
}
