/* hf/task.h - something a user can ask for. The parser, help, man page, completion, JSON dump and table output of the
 * command all come from the row; what the row cannot say is its run function.
 * A task pack is a module of such rows. "repos.branch.create" is the command `hf repos branch create`. */
#ifndef HF_TASK_H
#define HF_TASK_H
#include <hf/plugin.h>

enum {
  HF_TK_NETWORK = 1,      /* may use the network (a command without it never loads the network stack) */
  HF_TK_WRITES = 2,       /* changes something on the Hub */
  HF_TK_DESTROYS = 4,     /* asks for confirmation */
  HF_TK_HIDDEN = 8,
  HF_TK_STREAMS = 16,     /* records come over time: print each at once */
  HF_TK_PASSTHROUGH = 32, /* hands unknown options on, takes no format flags */
  HF_TK_LOCAL_FORMAT = 64, /* declares --format, --json, -q itself */
  HF_TK_OURS = 128,       /* not a command of the reference client */
  HF_TK_NOT_A_COMMAND = 256, /* API only: hf_op_start, host->task, `hf api`; no command line */
  HF_TK_COMPOSES = 1024, /* made of other operations: its routes are theirs */
  HF_TK_JSON_ERRORS = 2048, /* with --json an error is one line of JSON on stderr: {"error":{"class","message","status"}} */
  HF_TK_GROUP = 4096,       /* a command that has commands below it: the longest name wins */
  HF_TK_TYPE_PREFIX = 512 /* first positional may be "TYPE/ns/name" (models/, datasets/, spaces/ ...) setting repo_type */
};

/* A REST call as data, run by the Hub pack's generic runner (row.run NULL) or used by a run function. `path` is relative
 * to the endpoint; {name} is replaced by the argument, percent-encoded ("{+name}": slashes stay); a revision or branch that is not given is "main". FROZEN. */
struct hf_route {
  const char *method, *path;
  const char *query;  /* space-separated "key=arg", "arg" or "key:text"; absent arguments are left out; repeated ones
                         repeat; text is sent as it stands */
  const char *body;   /* likewise, members of a JSON object; NULL: no body */
  uint32_t paging;    /* HF_PAGE_* */
  uint32_t tries;     /* 0: the reference's retry policy for this call (1 + 5), 1: not retried */
  const void *reserved[2];
};
enum { HF_PAGE_NONE = 0, HF_PAGE_LINK = 1 /* Link: <...>; rel="next" */ };

/* A column of a table: title as shown, pointer into the item ("a.b"). Rows may grow. */
struct hf_column {
  const char *title, *pointer;
};

struct hf_task {            /* rows may grow */
  const char *name;         /* "models.list" */
  const char *aliases;      /* further last words, comma separated: "ls" */
  const char *group_help;   /* help of the group this row opens, on the group's first row; else NULL */
  const char *summary;      /* one sentence */
  const char *help;         /* paragraphs for --help and man page, NULL: none */
  const char *examples;     /* one per line: "hf models list --author me" */
  struct hf_table params;   /* rows: struct hf_param */
  struct hf_table columns;  /* rows: struct hf_column; empty: the first item's keys */
  const char *id_key;       /* what quiet mode prints of an item; NULL: the first column */
  const struct hf_route *routes; /* what it asks the Hub, for `hf api` and the generic runner */
  uint32_t route_count;
  uint32_t flags;           /* HF_TK_* */
  /* Blocking; records into out. NULL: run_row of the pack, else of the Hub pack, which takes routes[0]. state is the
   * pack's from load(). */
  hf_status (*run)(hf_call *, void *state, const hf_args *, hf_out *);
  const char *since, *gone; /* version of the reference that brought or dropped it; NULL */
  const char *api;          /* space-separated HfApi method names this row stands for */
  /* Since 1.1, for rows without a run function. {name} stands for an argument. */
  const char *confirm;      /* asked first unless the flag "yes" is given: "Delete {repo_id}?" */
  const char *done;         /* headline of the result, instead of the server's answer: "Repo deleted" */
  const char *result;       /* its members: "repo_id" or "key=arg", space-separated */
};

/* Kinds of records, host->record(). */
enum {
  HF_OUT_ITEM = 1,   /* one row of a table: an object */
  HF_OUT_RESULT = 2, /* what was done: an object; its "message" member, if any, was set by HF_OUT_MESSAGE */
  HF_OUT_DICT = 3,   /* one thing, shown whole: an object */
  HF_OUT_TEXT = 4,   /* a JSON string: human and agent modes print it as it is */
  HF_OUT_MESSAGE = 5, /* a JSON string: headline of the result that follows */
  HF_OUT_LAYOUT = 6, /* {"headers":[..],"id_key":..,"titles":{..},"kind":"listing"...} for the items that follow; see docs */
  HF_OUT_HINT = 7,   /* a JSON string, stderr */
  HF_OUT_WARNING = 8,
  HF_OUT_LOG = 9,    /* a JSON string, an INFO line on stderr in every mode */
  HF_OUT_RAW = 10,   /* a JSON string: printed as is in every mode */
  HF_OUT_TABLE_END = 11, /* {}: the table is complete; without items it says "No results found." */
  HF_OUT_BYTES = 12, /* not JSON: bytes for stdout, every mode */
  HF_OUT_NOTE = 13   /* a JSON string: said on the side, stderr, not in quiet mode; since 1.1 */
};

struct hf_tasks {
  struct hf_module m;
  struct hf_table tasks; /* rows: struct hf_task */
  /* Runs the rows without a run function of their own; optional. */
  hf_status (*run_row)(hf_call *, void *state, const struct hf_task *row, const hf_args *, hf_out *);
};
#endif
