/* hf/provider.h - an inference provider: const rows, one per task it serves, and optional hooks in plain C.
 * A reader of a provider's file must see which request is sent. A provider does no I/O, never sleeps, and never sees a key
 * or token: the host chooses keys and routing, maps models, loads media, sends, retries, frames streams, keeps the polling
 * clock, downloads results and shapes records. An OpenAI-shaped chat provider is one row:
 *
 *   static const struct hf_pv_task tasks[] = {
 *     { .task = "conversational", .route = "/openai/v1/chat/completions", .stream = HF_PV_STREAM_CHAT } };
 *   static const struct hf_provider groq = { .m = HF_MODULE(hf_provider, HF_KIND_PROVIDER, "groq", "Groq", HF_THREADS_ANY,
 *     10, 0), .base_url = "https://api.groq.com", .tasks = HF_TABLE(tasks) };
 *
 * The JSON builder is a table of its own, handed to each hook: the core itself knows no JSON. */
#ifndef HF_PROVIDER_H
#define HF_PROVIDER_H
#include <hf/plugin.h>

typedef struct hf_json hf_json; /* a JSON value owned by the call; never freed by a hook */

enum { HF_PV_BODY_JSON = 0, HF_PV_BODY_RAW_OR_JSON = 1, HF_PV_BODY_MULTIPART = 2 };
enum { HF_PV_STREAM_NONE = 0, HF_PV_STREAM_CHAT = 1, HF_PV_STREAM_COMPLETION = 2, HF_PV_STREAM_TGI = 3 };
/* How an input that is bytes, a file or a URL is put into a JSON body. */
enum {
  HF_PV_MEDIA_NONE = 0,   /* text or a JSON value, as it is */
  HF_PV_MEDIA_URL = 1,    /* URL as it is, else data: URL of the guessed type, else `mime` */
  HF_PV_MEDIA_FORCED = 2, /* URL as it is, else data: URL of `mime` */
  HF_PV_MEDIA_BASE64 = 3  /* base64 without a prefix */
};
/* Where the result is in the answer. */
enum {
  HF_PV_OUT_JSON = 0,       /* the answer, shaped by task */
  HF_PV_OUT_BYTES = 1,      /* the body is the media */
  HF_PV_OUT_B64 = 2,        /* base64 at out_path */
  HF_PV_OUT_URL = 3,        /* URL at out_path: fetched without credentials */
  HF_PV_OUT_TEXT = 4,       /* string at out_path */
  HF_PV_OUT_COMPLETION = 5, /* choices[0] of an OpenAI completion */
  HF_PV_OUT_EACH = 6        /* out_path "data.embedding": the field of every element */
};

/* How a job that is not done at once is watched. Strings may hold {base} {url} {query} {id} {path:a.b}. FROZEN. */
struct hf_pv_poll {
  const char *id, *url;             /* where the job's id is in the POST answer; which URL to ask */
  const char *status, *done, *failed, *pending; /* path of the status; comma lists, "*": anything else */
  const char *post_pending;         /* only these statuses of the POST answer start polling, NULL: all */
  const char *error, *result_url, *cancel_url;
  uint32_t interval_ms, max_polls;  /* 0: no limit but the call's deadline */
  uint32_t flags, reserved;         /* HF_PV_POLL_* */
};
enum { HF_PV_POLL_DELAY_FIRST = 1, HF_PV_POLL_FROM_POST = 2, HF_PV_POLL_NO_AUTH = 4 };

/* What a hook may ask and build. Paths are "a.b.0". Returned values live as long as the call. Grows at the end. */
struct hf_pv_host {
  uint32_t struct_size, reserved;
  const char *(*str)(hf_call *, const char *what);      /* "task" "model" "id" "version" "routed" "url" */
  hf_json *(*value)(hf_call *, const char *what);        /* "input" "params" "extra" "mapping" "post" */
  hf_json *(*parse)(hf_call *, const char *, size_t);    /* NULL: not JSON, error set */
  hf_json *(*get)(const hf_json *, const char *path);    /* NULL: not there */
  const char *(*text)(const hf_json *);                  /* NULL unless a string */
  int32_t (*number)(const hf_json *, double *);          /* 0 unless a number */
  size_t (*length)(const hf_json *);                     /* elements of an array or object, else 0 */
  hf_json *(*make)(hf_call *, const char *format, ...);  /* "{}" "[]" "s" "i" "f" "b" "n": one value */
  hf_status (*set)(hf_call *, hf_json *, const char *path, const hf_json *);
  hf_status (*drop)(hf_call *, hf_json *, const char *path);
  hf_json *(*media)(hf_call *, uint32_t how, const char *mime); /* the input as HF_PV_MEDIA_* says */
};

/* The request a prepare hook edits. Owned by the host. */
struct hf_pv_request {
  uint32_t struct_size, flags;
  const char *method, *url; /* hooks replace the pointer by an interned string */
  hf_json *body;
};

struct hf_pv_task { /* rows may grow */
  const char *task;      /* "conversational", "text-to-image"; unknown names are allowed: the result is JSON or bytes */
  const char *route;     /* "/v1/images/{id}" */
  const char *base;      /* instead of the provider's base_url; NULL */
  const char *routed_suffix, *versioned_route; /* appended when routed; used when the id has a ":version" */
  const char *input;     /* where the input goes: "messages", "inputs", "input.prompt"; NULL: the task's usual place */
  const char *model;     /* where the model id goes, NULL: "model"; "": nowhere */
  const char *params;    /* object the parameters go into, NULL: the top level */
  const char *fixed;     /* JSON object merged first: {"sync": true} */
  const char *rename;    /* "num_inference_steps=steps guidance_scale=guidance" */
  const char *mime;      /* of media without a type */
  const char *out_path;  /* "output|output.0" */
  const struct hf_pv_poll *poll;
  uint32_t body, media, stream, out; /* HF_PV_BODY_* HF_PV_MEDIA_* HF_PV_STREAM_* HF_PV_OUT_* */
  uint32_t flags, reserved;
  /* Hooks, all optional. prepare: the request as the row made it, to edit. parse: the answer -> result value. poll: the
   * last answer -> next request (HF_PENDING) or done (HF_OK). event: one stream payload -> value to deliver, NULL: none. */
  hf_status (*prepare)(hf_call *, const struct hf_pv_host *, struct hf_pv_request *);
  hf_status (*parse)(hf_call *, const struct hf_pv_host *, const hf_json *answer, hf_json **result);
  hf_status (*poll_next)(hf_call *, const struct hf_pv_host *, const hf_json *answer, struct hf_pv_request *,
                         uint32_t *wait_ms);
  hf_status (*event)(hf_call *, const struct hf_pv_host *, const char *payload, size_t, hf_json **out);
};

struct hf_provider {
  struct hf_module m;
  const char *base_url;    /* scheme and host, no final slash */
  const char *key_env;     /* environment variable of the provider's own key; NULL: "<NAME>_API_KEY" */
  const char *auth_scheme; /* "Bearer" (NULL), "Key", "Token", "X-Key" ... */
  struct hf_table headers; /* rows: struct hf_kv */
  struct hf_table tasks;   /* rows: struct hf_pv_task */
};
#endif
