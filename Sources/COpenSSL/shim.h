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
#include <openssl/x509v3.h>

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

// A general name is a union, which Swift sees as one of its members at most.

static inline ASN1_STRING *gatehouse_general_name_text(const GENERAL_NAME *name) {
    int type = 0;
    void *value = GENERAL_NAME_get0_value(name, &type);
    return type == GEN_EMAIL || type == GEN_DNS || type == GEN_URI ? (ASN1_STRING *)value : NULL;
}

static inline int gatehouse_general_name_type(const GENERAL_NAME *name) {
    int type = 0;
    GENERAL_NAME_get0_value(name, &type);
    return type;
}

static inline int gatehouse_general_name_count(const GENERAL_NAMES *names) { return sk_GENERAL_NAME_num(names); }

static inline GENERAL_NAME *gatehouse_general_name(const GENERAL_NAMES *names, int place) {
    return sk_GENERAL_NAME_value(names, place);
}

static inline int gatehouse_name_flags(void) { return XN_FLAG_RFC2253 & ~ASN1_STRFLGS_ESC_MSB; }
