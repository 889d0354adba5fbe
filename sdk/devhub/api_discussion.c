/* api_discussion.c - discussions and pull requests: list, details, open, and what can be done to one (a table).
 * A pull request opened here starts as a draft at its base branch; commits go to refs/pr/N.
 * Its author and those who may write to the repo may change it; anybody signed in may comment. */
#include "body.h"
#include "server.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PAGE = 50 };

static json_t *discussion_json(const struct request *r, const struct discussion *d) {
  return json_pack("{s:I, s:s, s:s, s:b, s:o, s:{s:s, s:s, s:s}, s:{s:s, s:s}, s:i, s:b}", "num", (json_int_t)d->num,
                   "title", d->title, "status", d->status, "isPullRequest", (int)d->pull, "createdAt",
                   dh_date_json(d->date), "author", "name", d->author, "type", "user", "avatarUrl",
                   "/avatars/devhub.svg", "repo", "name", r->repo.name, "type", dh_repo_type_name(r->type),
                   "numComments", 1, "pinned", 0);
}

struct page {
  const struct request *request;
  json_t *rows;
  uint64_t start, count;
};

static bool page_add(void *arg, const struct discussion *d) {
  struct page *p = arg;
  if (p->count >= p->start && p->count < p->start + PAGE)
    json_array_append_new(p->rows, discussion_json(p->request, d));
  p->count++;
  return true;
}

static const char *parameter_but_all(const struct request *r, const char *key) {
  const char *value = dh_request_parameter(r, key);
  return value && *value && strcmp(value, "all") != 0 ? value : NULL;
}

void dh_discussions(struct request *r) {
  const char *type = parameter_but_all(r, "type"), *page_text = dh_request_parameter(r, "p");
  uint64_t number = 0;
  if (page_text && !dh_number(page_text, 1000000, &number)) {
    dh_reply_error(r, 400, NULL, "\"p\" must be a page number");
    return;
  }
  struct discussion_query q = {.author = parameter_but_all(r, "author"),
                               .status = parameter_but_all(r, "status"),
                               .pull = type ? strcmp(type, "pull_request") == 0 : -1};
  struct page p = {.request = r, .rows = json_array(), .start = number * PAGE};
  if (dh_store_discussions(r->server->store, r->repo.id, &q, page_add, &p) != STORE_OK) {
    json_decref(p.rows);
    dh_reply_failed(r, STORE_FAILED);
    return;
  }
  dh_reply_json(r, 200,
                json_pack("{s:o, s:I, s:I, s:i}", "discussions", p.rows, "count", (json_int_t)p.count, "start",
                          (json_int_t)p.start, "numClosedDiscussions", 0));
}

static bool discussion_find(struct request *r, struct discussion *d) {
  uint64_t num;
  int rc = dh_number(r->name, INT64_MAX, &num) ? dh_store_discussion(r->server->store, r->repo.id, (int64_t)num, d)
                                               : STORE_NONE;
  if (rc == STORE_NONE) dh_reply_error(r, 404, NULL, "There is no discussion %.20s", r->name);
  if (rc == STORE_FAILED) dh_reply_failed(r, rc);
  return rc == STORE_OK;
}

static void reply_details(struct request *r, const struct discussion *d) {
  json_t *events = dh_store_events(r->server->store, r->repo.id, d->num, 0);
  if (!events) {
    dh_reply_failed(r, STORE_FAILED);
    return;
  }
  json_t *value = discussion_json(r, d);
  json_object_set_new(value, "events", events);
  if (d->pull) {
    json_t *changes = json_pack("{s:s}", "base", d->base);
    if (d->merged[0]) json_object_set_new(changes, "mergeCommitId", json_string(d->merged));
    json_object_set_new(value, "changes", changes);
    json_object_set_new(value, "filesWithConflicts", json_array());
    if (dh_request_flag(r, "diff")) json_object_set_new(value, "diff", json_string(""));
  }
  dh_reply_json(r, 200, value);
}

void dh_discussion(struct request *r) {
  struct discussion d;
  if (discussion_find(r, &d)) reply_details(r, &d);
}

void dh_discussion_open(struct request *r) {
  json_t *body = dh_body_object(r);
  const char *title = dh_json_text(body, "title", "");
  struct discussion d = {.pull = json_is_true(json_object_get(body, "pullRequest")), .date = dh_now()};
  snprintf(d.title, sizeof d.title, "%.250s", title);
  snprintf(d.status, sizeof d.status, "%s", d.pull ? "draft" : "open");
  snprintf(d.author, sizeof d.author, "%s", dh_request_user(r));
  snprintf(d.base, sizeof d.base, "%s", d.pull ? "refs/heads/main" : "");
  if (body && strlen(title) < 3) {
    dh_reply_error(r, 400, NULL, "\"title\" needs at least 3 characters");
  } else if (body && dh_request_contributes(r)) {
    int rc = dh_store_discussion_open(r->server->store, r->repo.id, &d, dh_json_text(body, "description", ""));
    if (rc == STORE_OK)
      dh_reply_json(r, 201,
                    json_pack("{s:I, s:o, s:b}", "num", (json_int_t)d.num, "url",
                              dh_repo_url(r, r->type, r->repo.name, "/discussions"), "pullRequest", (int)d.pull));
    else
      dh_reply_failed(r, STORE_FAILED);
  }
  json_decref(body);
}

static void reply_event(struct request *r, const struct discussion *d, const char *key, int64_t id) {
  json_t *events = id ? dh_store_events(r->server->store, r->repo.id, d->num, id) : NULL;
  if (json_array_size(events))
    dh_reply_json(r, 200, json_pack("{s:O}", key, json_array_get(events, 0)));
  else
    dh_reply_failed(r, STORE_FAILED);
  json_decref(events);
}

static int64_t comment_add(struct request *r, const struct discussion *d, const char *text) {
  json_t *data = json_pack("{s:b, s:b, s:{s:s, s:o, s:{s:s}}, s:[]}", "edited", 0, "hidden", 0, "latest", "raw", text,
                           "updatedAt", dh_date_json(dh_now()), "author", "name", dh_request_user(r), "history");
  return dh_store_event_add(r->server->store, r->repo.id, d->num, "comment", dh_request_user(r), dh_now(), data);
}

static void change_comment(struct request *r, struct discussion *d, const json_t *body) {
  const char *text = dh_json_text(body, "comment", "");
  if (!*text) {
    dh_reply_error(r, 400, NULL, "\"comment\" is required");
    return;
  }
  reply_event(r, d, "newMessage", comment_add(r, d, text));
}

static void change_title(struct request *r, struct discussion *d, const json_t *body) {
  const char *title = dh_json_text(body, "title", "");
  if (strlen(title) < 3) {
    dh_reply_error(r, 400, NULL, "\"title\" needs at least 3 characters");
    return;
  }
  json_t *data = json_pack("{s:s, s:s}", "from", d->title, "to", title);
  snprintf(d->title, sizeof d->title, "%.250s", title);
  int64_t id = 0;
  if (dh_store_discussion_set(r->server->store, r->repo.id, d) == STORE_OK)
    id = dh_store_event_add(r->server->store, r->repo.id, d->num, "title-change", dh_request_user(r), dh_now(), data);
  else
    json_decref(data);
  reply_event(r, d, "newTitle", id);
}

static void change_status(struct request *r, struct discussion *d, const json_t *body) {
  const char *status = dh_json_text(body, "status", ""), *text = dh_json_text(body, "comment", "");
  if ((strcmp(status, "open") != 0 && strcmp(status, "closed") != 0) || strcmp(d->status, "merged") == 0) {
    dh_reply_error(r, 400, NULL, "\"status\" must be open or closed, of a discussion that is not merged");
    return;
  }
  snprintf(d->status, sizeof d->status, "%s", status);
  int64_t id = 0;
  if (*text) comment_add(r, d, text);
  if (dh_store_discussion_set(r->server->store, r->repo.id, d) == STORE_OK)
    id = dh_store_event_add(r->server->store, r->repo.id, d->num, "status-change", dh_request_user(r), dh_now(),
                            json_pack("{s:s}", "status", status));
  reply_event(r, d, "newStatus", id);
}

static void change_merge(struct request *r, struct discussion *d, const json_t *body) {
  const char *text = dh_json_text(body, "comment", "");
  if (!d->pull || (strcmp(d->status, "open") != 0 && strcmp(d->status, "draft") != 0)) {
    dh_reply_error(r, 400, NULL, "Only an open pull request can be merged");
    return;
  }
  if (!dh_request_writes(r, r->repo.name)) return;
  int rc = dh_store_merge(r->server->store, &r->repo, d, dh_request_user(r), dh_now());
  if (rc == STORE_CONFLICT) dh_reply_error(r, 409, NULL, "This pull request has conflicts with its base branch");
  if (rc == STORE_NONE) dh_reply_error(r, 404, "RevisionNotFound", "The base branch of this pull request is gone");
  if (rc == STORE_FAILED || rc == STORE_INVALID) dh_reply_failed(r, STORE_FAILED);
  if (rc != STORE_OK) return;
  if (*text) comment_add(r, d, text);
  dh_reply_json(r, 200, json_pack("{s:b, s:s}", "success", 1, "mergeCommitId", d->merged));
}

/* comment/{id}/edit and comment/{id}/hide */
static void change_old_comment(struct request *r, struct discussion *d, const json_t *body) {
  char id_text[32], *end;
  const char *slash = strchr(r->file + 8, '/'), *text = dh_json_text(body, "content", "");
  bool edit = slash && strcmp(slash, "/edit") == 0, hide = slash && strcmp(slash, "/hide") == 0;
  if (!slash || !(edit || hide)) {
    dh_reply_error(r, 404, NULL, "There is no such action on a comment");
    return;
  }
  snprintf(id_text, sizeof id_text, "%.*s", (int)(slash - r->file - 8), r->file + 8);
  int64_t id = (int64_t)strtoull(id_text, &end, 16);
  int rc =
      *end ? STORE_NONE : dh_store_comment_edit(r->server->store, r->repo.id, d->num, id, edit ? text : NULL, dh_now());
  if (rc == STORE_NONE) dh_reply_error(r, 404, NULL, "There is no comment %.30s", id_text);
  if (rc == STORE_FAILED) dh_reply_failed(r, rc);
  if (rc == STORE_OK) reply_event(r, d, "updatedComment", id);
}

static const struct change {
  const char *name;
  bool anybody; /* not only the author and those who may write */
  void (*make)(struct request *r, struct discussion *d, const json_t *body);
} changes[] = {
    {"comment", true, change_comment}, {"title", false, change_title},          {"status", false, change_status},
    {"merge", true, change_merge},     {"comment/", false, change_old_comment},
};

void dh_discussion_change(struct request *r) {
  struct discussion d;
  size_t i = 0;
  while (i < sizeof changes / sizeof *changes &&
         (strcmp(changes[i].name, r->file) != 0 &&
          (strcmp(changes[i].name, "comment/") != 0 || strncmp(r->file, "comment/", 8) != 0)))
    i++;
  if (i == sizeof changes / sizeof *changes) {
    dh_reply_error(r, 404, NULL, "There is no %.50s of a discussion", r->file);
    return;
  }
  if (!discussion_find(r, &d)) return;
  bool author = strcmp(d.author, dh_request_user(r)) == 0;
  if (!changes[i].anybody && !author && !dh_request_writes(r, r->repo.name)) return;
  bool empty = !r->body.size || strcmp(r->body.data, "null") == 0;
  json_t *body = empty ? json_object() : dh_body_object(r);
  if (body) changes[i].make(r, &d, body);
  json_decref(body);
}
