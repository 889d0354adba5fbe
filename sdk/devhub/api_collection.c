/* api_collection.c - collections of a user or an organization: made, listed, changed, deleted, and their items in order.
 * Seen by everybody unless private; changed by who may write in the namespace.
 * A second collection of the same title, and an item that is there already, are 409 as on the Hub. */
#include "body.h"
#include "date.h"
#include "server.h"
#include <ctype.h>
#include <stdio.h>
#include <string.h>

enum { SLUG_ROOM = 160, ITEMS_MAX = 10000 };

static bool namespace_writes(struct request *r, const char *name) {
  char repo[NAME_ROOM];
  snprintf(repo, sizeof repo, "%.90s/x", name);
  return dh_request_writes(r, repo);
}

static bool sees(const struct request *r, const json_t *c) {
  const char *owner = dh_json_text(json_object_get(c, "owner"), "name", "");
  char repo[NAME_ROOM];
  snprintf(repo, sizeof repo, "%.90s/x", owner);
  return !json_is_true(json_object_get(c, "private")) || dh_access_writes(&r->server->access, r->token, repo);
}

static void missing(struct request *r) {
  dh_reply_error(r, 404, NULL, "Collection not found");
}

/* "A title!" -> "a-title". */
static void words(const char *title, char out[64]) {
  size_t n = 0;
  for (; *title && n < 60; title++) {
    if (isalnum((unsigned char)*title)) out[n++] = (char)tolower((unsigned char)*title);
    if (!isalnum((unsigned char)*title) && n && out[n - 1] != '-') out[n++] = '-';
  }
  while (n && out[n - 1] == '-') n--;
  out[n] = 0;
}

static bool new_id(char id[25]) {
  unsigned char raw[12];
  if (!dh_random(raw, sizeof raw)) return false;
  dh_hex(id, raw, sizeof raw);
  return true;
}

static void touch(json_t *c) {
  json_object_set_new(c, "lastUpdated", dh_date_json(dh_now()));
}

static json_t *note_json(const json_t *note) {
  const char *text = json_string_value(note);
  return text ? json_pack("{s:s, s:s}", "text", text, "html", text) : json_null();
}

/* Places are those in the list. */
static void number_items(json_t *items) {
  size_t i;
  json_t *item;
  json_array_foreach(items, i, item) json_object_set_new(item, "position", json_integer((json_int_t)i));
}

void dh_collections(struct request *r) {
  const char *owner = dh_request_parameter(r, "owner"), *item = dh_request_parameter(r, "item");
  json_t *all = dh_documents(r->server->store, DOCUMENT_COLLECTION, owner), *shown = json_array(), *c, *one;
  size_t i, k;
  json_array_foreach(all, i, c) {
    bool wanted = !item && sees(r, c);
    if (item && sees(r, c)) json_array_foreach(json_object_get(c, "items"), k, one) {
        char name[2 * NAME_ROOM];
        snprintf(name, sizeof name, "%ss/%s", dh_json_text(one, "type", ""), dh_json_text(one, "id", ""));
        wanted |= strcmp(name, item) == 0;
      }
    if (wanted) json_array_append(shown, c);
  }
  bool ok = all != NULL;
  json_decref(all);
  if (ok) dh_reply_json(r, 200, shown);
  if (ok) return;
  json_decref(shown);
  dh_reply_failed(r, STORE_FAILED);
}

static bool title_taken(struct request *r, const char *owner, const char *title, char slug[SLUG_ROOM]) {
  json_t *all = dh_documents(r->server->store, DOCUMENT_COLLECTION, owner), *c;
  bool taken = false;
  size_t i;
  json_array_foreach(all, i, c) if (!taken && strcmp(dh_json_text(c, "title", ""), title) == 0) {
    taken = true;
    snprintf(slug, SLUG_ROOM, "%.*s", SLUG_ROOM - 1, dh_json_text(c, "slug", ""));
  }
  json_decref(all);
  return taken;
}

void dh_collection_make(struct request *r) {
  json_t *body = dh_body_object(r);
  const char *title = dh_json_text(body, "title", ""), *owner = dh_json_text(body, "namespace", dh_request_user(r));
  char name[64], id[25], slug[SLUG_ROOM];
  words(title, name);
  if (body && !*title) dh_reply_error(r, 400, NULL, "\"title\" is required");
  if (!body || !*title || !namespace_writes(r, owner)) {
    json_decref(body);
    return;
  }
  if (title_taken(r, owner, title, slug)) {
    dh_reply_json(r, 409, json_pack("{s:s, s:s}", "error", "This collection already exists", "slug", slug));
  } else if (new_id(id)) {
    snprintf(slug, sizeof slug, "%.60s/%s-%s", owner, *name ? name : "collection", id);
    json_t *c = json_pack("{s:s, s:s, s:{s:s, s:s}, s:[], s:i, s:b, s:s, s:i, s:b, s:s?}", "slug", slug, "title", title,
                          "owner", "name", owner, "type", "user", "items", "position", 0, "private",
                          json_is_true(json_object_get(body, "private")), "theme", "blue", "upvotes", 0,
                          "isUpvotedByUser", 0, "description", dh_json_text(body, "description", NULL));
    touch(c);
    int rc = c ? dh_document_set(r->server->store, DOCUMENT_COLLECTION, slug, owner, c) : STORE_FAILED;
    if (rc == STORE_OK) dh_reply_json(r, 200, json_incref(c));
    if (rc != STORE_OK) dh_reply_failed(r, rc);
    json_decref(c);
  }
  json_decref(body);
}

void dh_collection(struct request *r) {
  json_t *c;
  int rc = dh_document(r->server->store, DOCUMENT_COLLECTION, r->repo_name, &c);
  if (rc == STORE_OK && sees(r, c)) {
    dh_reply_json(r, 200, c);
    return;
  }
  json_decref(c);
  if (rc == STORE_FAILED) dh_reply_failed(r, rc);
  if (rc != STORE_FAILED) missing(r);
}

/* ---- changes ------------------------------------------------------------------------------------------------------ */

typedef void (*change_fn)(struct request *r, json_t *c, const json_t *body); /* a reply made: nothing is written */

/* change NULL: the collection goes. */
static void changed(struct request *r, change_fn change, const json_t *body) {
  struct store *s = r->server->store;
  json_t *c = NULL;
  int rc = dh_documents_begin(s);
  if (rc != STORE_OK) {
    dh_reply_failed(r, rc);
    return;
  }
  rc = dh_document(s, DOCUMENT_COLLECTION, r->repo_name, &c);
  const char *owner = dh_json_text(json_object_get(c, "owner"), "name", "");
  if (rc == STORE_NONE || (rc == STORE_OK && !sees(r, c))) missing(r);
  bool may = rc == STORE_OK && !r->reply.status && namespace_writes(r, owner);
  if (may && change) change(r, c, body);
  if (may && !change) rc = dh_document_drop(s, DOCUMENT_COLLECTION, r->repo_name);
  if (may && change && !r->reply.status) {
    number_items(json_object_get(c, "items"));
    touch(c);
    rc = dh_document_set(s, DOCUMENT_COLLECTION, r->repo_name, owner, c);
  }
  int ended = dh_documents_end(s, r->reply.status ? STORE_NONE : rc);
  if (!r->reply.status && ended == STORE_OK) dh_reply_json(r, 200, json_incref(c));
  if (!r->reply.status) dh_reply_failed(r, STORE_FAILED);
  json_decref(c);
}

static void set_members(struct request *r, json_t *c, const json_t *body) {
  static const char *const names[] = {"title", "description", "position", "private", "theme"};
  (void)r;
  for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
    json_t *value = json_object_get(body, names[i]);
    if (value && !json_is_null(value)) json_object_set(c, names[i], value);
  }
}

static json_t *item_find(const json_t *items, const char *id, size_t *at) {
  json_t *item;
  for (*at = 0; (item = json_array_get(items, *at)); ++*at)
    if (strcmp(dh_json_text(item, "_id", ""), id) == 0) return item;
  return NULL;
}

static bool item_exists(struct request *r, const char *type, const char *id) {
  struct repo repo;
  json_t *other = NULL;
  int kind = dh_repo_type_find(type, strlen(type));
  if (kind >= 0) return dh_store_repo(r->server->store, (enum repo_type)kind, id, &repo) == STORE_OK;
  if (strcmp(type, "collection") != 0) return true; /* papers and buckets are not kept here */
  bool found = dh_document(r->server->store, DOCUMENT_COLLECTION, id, &other) == STORE_OK;
  json_decref(other);
  return found;
}

static void item_add(struct request *r, json_t *c, const json_t *body) {
  const json_t *item = json_object_get(body, "item");
  const char *id = dh_json_text(item, "id", ""), *type = dh_json_text(item, "type", "");
  json_t *items = json_object_get(c, "items"), *one;
  char object[25];
  size_t i;
  json_array_foreach(items, i, one) if (!r->reply.status && strcmp(dh_json_text(one, "id", ""), id) == 0 &&
                                        strcmp(dh_json_text(one, "type", ""), type) == 0)
      dh_reply_error(r, 409, NULL, "This item is already in the collection");
  if (r->reply.status) return;
  if (!*id || !*type || json_array_size(items) >= ITEMS_MAX) {
    dh_reply_error(r, 400, NULL, "\"item\" needs an \"id\" and a \"type\"");
  } else if (!item_exists(r, type, id)) {
    dh_reply_error(r, 404, NULL, "There is no %.20s %.200s", type, id);
  } else if (!new_id(object)) {
    dh_reply_failed(r, STORE_FAILED);
  } else {
    json_array_append_new(items, json_pack("{s:s, s:s, s:s, s:i, s:o}", "_id", object, "id", id, "type", type,
                                           "position", 0, "note", note_json(json_object_get(body, "note"))));
  }
}

static void item_change(struct request *r, json_t *c, const json_t *body) {
  json_t *items = json_object_get(c, "items"), *note = json_object_get(body, "note"),
         *position = json_object_get(body, "position");
  size_t at, count = json_array_size(items);
  json_t *item = item_find(items, r->name, &at);
  if (!item) {
    dh_reply_error(r, 404, NULL, "There is no such item in the collection");
    return;
  }
  if (r->method == METHOD_DELETE) {
    json_array_remove(items, at);
    return;
  }
  if (json_is_string(note)) json_object_set_new(item, "note", note_json(note));
  json_int_t to = json_integer_value(position);
  if (!json_is_integer(position) || to < 0) return;
  json_incref(item);
  json_array_remove(items, at);
  json_array_insert_new(items, (size_t)to < count ? (size_t)to : count - 1, item);
}

void dh_collection_change(struct request *r) {
  json_t *body = r->method == METHOD_DELETE ? json_object() : dh_body_object(r);
  if (body) changed(r, r->method == METHOD_DELETE ? NULL : set_members, body);
  json_decref(body);
}

void dh_collection_item(struct request *r) {
  json_t *body = r->method == METHOD_DELETE ? json_object() : dh_body_object(r);
  if (body) changed(r, r->method == METHOD_POST ? item_add : item_change, body);
  json_decref(body);
}
