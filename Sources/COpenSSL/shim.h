#pragma once

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/kdf.h>
#include <openssl/param_build.h>
#include <openssl/rand.h>
#include <openssl/rsa.h>
#include <openssl/sha.h>
#include <openssl/x509.h>

// Macros whose expressions Swift does not import.

static inline int gatehouse_select_public_key(void) { return EVP_PKEY_PUBLIC_KEY; }

static inline int gatehouse_select_key_pair(void) { return EVP_PKEY_KEYPAIR; }

// A parameter refers to its name for as long as it lives, which only a C literal outlasts.

static inline OSSL_PARAM gatehouse_digest_parameter(char *name) {
    return OSSL_PARAM_construct_utf8_string(OSSL_ALG_PARAM_DIGEST, name, 0);
}

static inline OSSL_PARAM gatehouse_key_parameter(void *bytes, size_t count) {
    return OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_KEY, bytes, count);
}

static inline OSSL_PARAM gatehouse_salt_parameter(void *bytes, size_t count) {
    return OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_SALT, bytes, count);
}

static inline OSSL_PARAM gatehouse_info_parameter(void *bytes, size_t count) {
    return OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_INFO, bytes, count);
}
