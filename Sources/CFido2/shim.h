#pragma once

#include <cbor.h>
#include <fido.h>
#include <fido/eddsa.h>
#include <fido/es256.h>
#include <fido/rs256.h>

// libcbor hands items out with a count of 1; these take what they are given and keep nothing.

/// The value of a text key of a map; it belongs to the map. NULL when there is none, or when the key is there twice.
static inline cbor_item_t *gatehouse_cbor_member(const cbor_item_t *map, const char *name, size_t length) {
    if (map == NULL || !cbor_isa_map(map) || !cbor_map_is_definite(map)) return NULL;
    cbor_item_t *found = NULL;
    struct cbor_pair *pairs = cbor_map_handle(map);
    for (size_t index = 0; index < cbor_map_size(map); index++) {
        const cbor_item_t *key = pairs[index].key;
        if (key == NULL || !cbor_isa_string(key) || !cbor_string_is_definite(key)) return NULL;
        if (cbor_string_length(key) != length) continue;
        const unsigned char *bytes = cbor_string_handle(key);
        size_t same = 0;
        while (same < length && bytes[same] == (unsigned char)name[same]) same++;
        if (same < length) continue;
        if (found != NULL) return NULL;
        found = pairs[index].value;
    }
    return found;
}

/// Releases an item that `cbor_load` made.
static inline void gatehouse_cbor_release(cbor_item_t *item) {
    if (item != NULL) cbor_decref(&item);
}

/// A message of libfido2's errors.
static inline const char *gatehouse_fido_message(int code) { return fido_strerr(code); }
