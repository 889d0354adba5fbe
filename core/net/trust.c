/* trust.c - one certificate store for all TLS connections: the system's certificates, and those that SSL_CERT_FILE,
 * SSL_CERT_DIR and the configuration add to them. Built once, shared by reference, so a new connection parses nothing.
 * The system's folder of hashed certificates is read as they are needed; its bundle only where there is no such folder. */
#include <dirent.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "stack.h"

struct trust {
  X509_STORE *store;
};

static const char *const system_bundles[] = {
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
    "/etc/ssl/cert.pem",
    "/usr/local/etc/ssl/cert.pem",
};

/* Are there names like 5ad8a5d6.0 in the folder? */
static bool has_hashed(const char *dir) {
  DIR *d = opendir(dir);
  if (d == NULL) return false;
  bool found = false;
  for (struct dirent *e; !found && (e = readdir(d)) != NULL;)
    found = strlen(e->d_name) > 9 && strspn(e->d_name, "0123456789abcdef") == 8 && e->d_name[8] == '.';
  closedir(d);
  return found;
}

static bool add_dir(X509_STORE *store, const char *dirs) {
  X509_LOOKUP *l = X509_STORE_add_lookup(store, X509_LOOKUP_hash_dir());
  return l != NULL && X509_LOOKUP_add_dir(l, dirs, X509_FILETYPE_PEM) == 1;
}

static bool add_file(X509_STORE *store, const char *file) {
  X509_LOOKUP *l = X509_STORE_add_lookup(store, X509_LOOKUP_file());
  return l != NULL && X509_load_cert_crl_file(l, file, X509_FILETYPE_PEM) > 0;
}

static void add_system(X509_STORE *store) {
  const char *dir = X509_get_default_cert_dir();
  if (has_hashed(dir) && add_dir(store, dir)) return;
  if (access(X509_get_default_cert_file(), R_OK) == 0 && add_file(store, X509_get_default_cert_file())) return;
  for (size_t i = 0; i < sizeof(system_bundles) / sizeof(system_bundles[0]); i++)
    if (access(system_bundles[i], R_OK) == 0 && add_file(store, system_bundles[i])) return;
}

static hf_status refuse(struct trust *t, char *why, size_t why_len, const char *what, const char *file) {
  snprintf(why, why_len, "cannot read the certificates in %s (%s); correct or unset it", file, what);
  ERR_clear_error();
  trust_close(t);
  return HF_EINVAL;
}

hf_status trust_open(const char *ca_file, const char *ca_dir, struct trust **out, char *why, size_t why_len) {
  *out = NULL;
  struct trust *t = calloc(1, sizeof(*t));
  if (t == NULL) return HF_ENOMEM;
  t->store = X509_STORE_new();
  if (t->store == NULL) {
    free(t);
    return HF_ENOMEM;
  }
  add_system(t->store);
  const char *file = getenv("SSL_CERT_FILE"), *dir = getenv("SSL_CERT_DIR");
  if (file != NULL && file[0] != '\0' && !add_file(t->store, file))
    return refuse(t, why, why_len, "SSL_CERT_FILE", file);
  if (dir != NULL && dir[0] != '\0' && !add_dir(t->store, dir)) return refuse(t, why, why_len, "SSL_CERT_DIR", dir);
  if (ca_file != NULL && ca_file[0] != '\0' && (file == NULL || strcmp(file, ca_file) != 0) &&
      !add_file(t->store, ca_file))
    return refuse(t, why, why_len, "ca_file", ca_file);
  if (ca_dir != NULL && ca_dir[0] != '\0' && !add_dir(t->store, ca_dir))
    return refuse(t, why, why_len, "ca_dir", ca_dir);
  ERR_clear_error();
  *out = t;
  return HF_OK;
}

void trust_close(struct trust *t) {
  if (t == NULL) return;
  X509_STORE_free(t->store);
  free(t);
}

CURLcode trust_install(CURL *easy, void *ssl_ctx, void *trust) {
  (void)easy;
  struct trust *t = trust;
  SSL_CTX_set1_cert_store(ssl_ctx, t->store);
  return CURLE_OK;
}
