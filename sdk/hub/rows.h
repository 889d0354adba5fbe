/* rows.h - rows of the Hub pack that say more than a task of the ABI: which fields of an answer are shown, what is said after
 * it, which failures are none.
 * A row is a task first, so that every list of tasks may hold it; modules made by HF_HUB_ROWS run such rows by their text alone. */
#ifndef HUB_ROWS_H
#define HUB_ROWS_H
#include "hub.h"

struct hf_hub_row {
  struct hf_task task;               /* .done may hold {argument}; .result also "key=@member" of the answer */
  const struct hf_hub_field *fields; /* what is shown of the answer, or of each item; NULL: all of it */
  size_t field_count;
  const char *member;    /* the part of the answer that counts, "a/b"; NULL: the whole */
  const char *layout;    /* of the table, JSON */
  const char *hints[2];  /* said afterwards, with {argument} */
  const char *absent;    /* the sentence for 404, with {argument} */
  const char *forgiving; /* flag with which `forgiven` is no error */
  uint32_t forgiven;     /* HTTP status */
  uint32_t flags;        /* HF_ROW_* */
  const char *failed;    /* what failed when the host answers with a status that is an error */
};
enum {
  HF_ROW_LIST = 1,    /* the answer is a list, or a page of one */
  HF_ROW_COUNTED = 4, /* items get their place in the listing, "position" */
  HF_ROW_ALL = 8,     /* --limit is the server's business alone */
  HF_ROW_NO_TOKEN = 2 /* asked without headers of the Hub, as the reference does */
};

#define HF_HUB_ROWS(name_, summary_, rows_)                                                          \
  {                                                                                                  \
    .m = HF_MODULE(hf_tasks, HF_KIND_TASKS, name_, summary_, HF_THREADS_ANY, 10, 0), .tasks = rows_, \
    .run_row = hf_hub_run_shown                                                                      \
  }
hf_status hf_hub_run_shown(hf_call *, void *state, const struct hf_task *, const hf_args *, hf_out *);

/* The same in pieces, for run functions. */
const struct hf_hub_row *hf_hub_row_of(hf_call *, const char *task);
hf_status hf_hub_row_begin(struct hf_hub *, hf_call *, const hf_args *, hf_out *);
/* One answer of one request, parsed; *json is the caller's, NULL: it was empty. body is taken. */
hf_status hf_hub_ask(struct hf_hub *, const char *method, const char *url, json_t *body, json_t **json);
/* The request of the row's route number `route`; `extra` query text or NULL. */
hf_status hf_hub_row_ask(struct hf_hub *, const struct hf_hub_row *, uint32_t route, const hf_args *, json_t **json);
hf_status hf_hub_shown_result(hf_call *, hf_out *, const struct hf_hub_row *, const hf_args *, const json_t *answer);
hf_status hf_hub_shown_item(hf_call *, hf_out *, const struct hf_hub_row *, const json_t *raw);
hf_status hf_hub_shown_items(hf_call *, hf_out *, const struct hf_hub_row *, const json_t *list, int64_t limit);
hf_status hf_hub_shown_dict(hf_call *, hf_out *, const struct hf_hub_row *, const json_t *raw);
hf_status hf_hub_shown_hints(hf_call *, hf_out *, const struct hf_hub_row *, const hf_args *);
/* Text with {argument} replaced. */
const char *hf_hub_filled(hf_call *, const char *text, const hf_args *);
const char *hf_hub_arg(const hf_args *, const char *name);
bool hf_hub_given(const hf_args *, const char *name);
/* An argument as JSON of its type; NULL: not given. */
json_t *hf_hub_arg_value(const struct hf_task *, const hf_args *, const char *name);
/* --limit into *limit, which is left where it is not given; below 0 it is refused as the reference does. */
hf_status hf_hub_limit(hf_call *, const hf_args *, int64_t *limit);
/* "{hub}/api/<path>" with text as it is; NULL: error set. */
const char *hf_hub_at(struct hf_hub *, const char *fmt, ...) HF_PRINTF(2, 3);
/* An error in the command's own words, "Error: ..." and exit 1. */
hf_status hf_hub_refuse(hf_call *, const char *fmt, ...) HF_PRINTF(2, 3);
/* What click.BadParameter says, exit 2. */
hf_status hf_hub_bad_value(hf_call *, const char *fmt, ...) HF_PRINTF(2, 3);
/* What the reference says of methods that may change. */
void hf_hub_experimental(struct hf_hub *, const char *method);
/* job_shape.c */
hf_status hf_hub_field_job_spec(hf_call *, const json_t *whole, const json_t *value, json_t **out);
hf_status hf_hub_field_volume(hf_call *, const json_t *whole, const json_t *value, json_t **out);
/* spaces.c: the table of machines, for Spaces and jobs. */
hf_status hf_hub_show_hardware(hf_call *, hf_out *, const json_t *list, bool storage);
/* people.c; a named user has "name" where others have "user" */
hf_status hf_hub_field_user(hf_call *, const json_t *whole, const json_t *value, json_t **out);
hf_status hf_hub_field_named(hf_call *, const json_t *whole, const json_t *value, json_t **out);
hf_status hf_hub_field_org(hf_call *, const json_t *whole, const json_t *value, json_t **out);
/* shell_split.c: a line as the words of a shell; [".."] */
hf_status hf_hub_shell_split(hf_call *, const char *text, json_t **words);
/* attach.c: the text of --body, --body-file and --attach; never NULL. */
hf_status hf_hub_message(struct hf_hub *, const hf_args *, const char **body);

/* Parameters that many rows have. */
#define HF_WORD(n, v, h) \
  { .name = n, .help = h, .value_name = v, .type = HF_P_STR, .flags = HF_PF_POSITIONAL | HF_PF_REQUIRED }
#define HF_TEXT(n, h) \
  { .name = n, .help = h, .type = HF_P_STR }
#define HF_SPELT(n, s, h) \
  { .name = n, .spellings = "=" s, .help = h, .type = HF_P_STR }
#define HF_SWITCH(n, h) \
  { .name = n, .help = h, .type = HF_P_BOOL }
#define HF_ON_OFF(n, h) \
  { .name = n, .help = h, .type = HF_P_BOOL, .deflt = "false", .flags = HF_PF_TRISTATE }
#define HF_YES \
  { .name = "yes", .spellings = "=--yes,-y", .help = "Do not ask.", .type = HF_P_BOOL }
#define HF_NUMBER(n, d, h) \
  { .name = n, .help = h, .deflt = d, .type = HF_P_INT }
#define HF_REPO_ID HF_WORD("repo_id", "REPO_ID", "Repo, such as `username/repo-name`.")
#define HF_REPO_TYPE                                                                                    \
  {                                                                                                     \
    .name = "repo_type", .spellings = "=--type,--repo-type", .help = "Kind of repo.", .deflt = "model", \
    .choices = "model,dataset,space,kernel", .type = HF_P_CHOICE                                        \
  }
#define HF_TOKEN_PARAM                                                                               \
  {                                                                                                  \
    .name = "token", .help = "User access token to use instead of the saved one.", .type = HF_P_STR, \
    .flags = HF_PF_SECRET                                                                            \
  }
#define HF_ROUTES(r)    .routes = r, .route_count = HF_COUNT(r)
#define HF_HUB_SHOWS(f) .fields = f, .field_count = HF_COUNT(f)
#define HF_ROW_READS    HF_TK_NETWORK
#define HF_ROW_WRITES   (HF_TK_NETWORK | HF_TK_WRITES)
#define HF_ROW_DESTROYS (HF_TK_NETWORK | HF_TK_WRITES | HF_TK_DESTROYS)
#endif
