#include "artifact/trust.hpp"

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/x509.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdlib>
#include <fstream>
#include <map>
#include <memory>
#include <regex>
#include <sstream>
#include <vector>

#include "artifact/schema.hpp"
#include "artifact/sha256.hpp"
#include "mpm_runner/error.hpp"
#include "support/refusal.hpp"
#include "support/strict_json.hpp"

namespace mpm {

namespace fs = std::filesystem;

namespace {

constexpr const char* sign_hint = "mpm-deploy sign FILE --key KEY.pem";
constexpr const char* make_public_hint =
    "make one of a private key: openssl pkey -in KEY.pem -pubout -out NAME.pem";

// What a signature record holds; a claim, until it is checked.
struct Signature {
  std::string algorithm;
  std::string key;        // its fingerprint
  std::string signature;  // 64 bytes in lower-case hex
};

void list_fields(Signature& signature, auto& field) {
  field("algorithm", signature.algorithm);
  field("key", signature.key);
  field("signature", signature.signature);
}

template <auto free>
struct Free {
  void operator()(auto* owned) const { free(owned); }
};
using Key = std::unique_ptr<EVP_PKEY, Free<EVP_PKEY_free>>;

struct NamedKey {
  std::string name;  // of its file
  Key key;
};
using Keys = std::map<std::string, NamedKey>;  // by their fingerprints

InputError unreadable(const fs::path& path, int number) {
  return refusal<InputError>(path.string() + ": keys cannot be read", number,
                             "name a public key, or a folder of them");
}

std::string read_text(const fs::path& path) {
  errno = 0;
  std::ifstream file(path, std::ios::binary);
  std::ostringstream text;
  if (file) text << file.rdbuf();
  if ((!file || !text) && errno != 0) throw unreadable(path, errno);  // nothing to write fails too
  return text.str();
}

// A public key of ed25519 in PEM: RFC 7468's lines around RFC 8410's DER, whose first 12 bytes are
// always the same. Libraries take more than that for a key, each something else.
const std::regex& public_key_pattern() {
  static const std::regex pattern(
      R"(-----BEGIN PUBLIC KEY-----\r?\nMCowBQYDK2VwAyEA([A-Za-z0-9+/]{42}[AEIMQUYcgkosw048]=)\r?\n)"
      R"(-----END PUBLIC KEY-----)");
  return pattern;
}

// text is 32 bytes in base64.
Key make_public_key(const std::string& text) {
  std::array<unsigned char, 33> bytes;  // the padding counts as one
  EVP_DecodeBlock(bytes.data(), reinterpret_cast<const unsigned char*>(text.data()),
                  static_cast<int>(text.size()));
  return Key(EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, nullptr, bytes.data(), 32));
}

Key read_public_key(const fs::path& path) {
  const std::string text = read_text(path);
  std::smatch found;
  if (!std::regex_search(text, found, public_key_pattern())) {
    throw InputError(path.string() + ": expected a public key of ed25519 in PEM", make_public_hint);
  }
  Key key = make_public_key(found[1]);
  if (!key) throw std::runtime_error("OpenSSL cannot take a key");
  return key;
}

// SHA-256 of a key's DER, its SubjectPublicKeyInfo of RFC 8410.
std::string fingerprint(const Key& key) {
  unsigned char* der = nullptr;
  const int size = i2d_PUBKEY(key.get(), &der);
  if (size < 0) throw std::runtime_error("OpenSSL cannot write a key");
  Sha256 hash;
  hash.update(der, static_cast<std::size_t>(size));
  OPENSSL_free(der);
  return hash.hex_digest();
}

std::vector<fs::path> public_key_files(const fs::path& trust) {
  std::error_code error;
  if (!fs::is_directory(trust, error)) return {trust};
  std::vector<fs::path> files;
  for (fs::directory_iterator entry(trust, error), end; !error && entry != end;
       entry.increment(error)) {
    if (entry->path().extension() == ".pem") files.push_back(entry->path());
  }
  if (error) throw unreadable(trust, error.value());
  if (files.empty()) {
    throw InputError(trust.string() + ": expected public keys, NAME.pem each, got none",
                     make_public_hint);
  }
  std::sort(files.begin(), files.end());
  return files;
}

Keys read_public_keys(const fs::path& trust) {
  Keys keys;
  for (const fs::path& file : public_key_files(trust)) {
    Key key = read_public_key(file);
    const std::string name = fingerprint(key);
    keys.try_emplace(name, NamedKey{file.filename().string(), std::move(key)});
  }
  return keys;
}

bool is_hex(const std::string& text, std::size_t digits) {
  return text.size() == digits && text.find_first_not_of("0123456789abcdef") == std::string::npos;
}

std::vector<unsigned char> bytes_of_hex(const std::string& text) {
  std::vector<unsigned char> bytes;
  for (std::size_t i = 0; i < text.size(); i += 2) {
    bytes.push_back(static_cast<unsigned char>(std::stoi(text.substr(i, 2), nullptr, 16)));
  }
  return bytes;
}

// Nothing, where it is not of the format.
std::optional<Signature> parse_signature(const std::string& record) {
  Signature signature;
  try {
    check_json(record);
    read_structure(Json::parse(record), "", signature);
  } catch (const JsonError&) {
    return std::nullopt;
  } catch (const StructureError&) {
    return std::nullopt;
  }
  const bool fits = signature.algorithm == "ed25519" && is_hex(signature.key, 64) &&
                    is_hex(signature.signature, 128);
  return fits ? std::optional(signature) : std::nullopt;
}

bool holds(const Key& key, const std::string& manifest, const std::string& signature) {
  const std::unique_ptr<EVP_MD_CTX, Free<EVP_MD_CTX_free>> context(EVP_MD_CTX_new());
  const std::vector<unsigned char> bytes = bytes_of_hex(signature);
  const bool does =
      context && EVP_DigestVerifyInit(context.get(), nullptr, nullptr, nullptr, key.get()) == 1 &&
      EVP_DigestVerify(context.get(), bytes.data(), bytes.size(),
                       reinterpret_cast<const unsigned char*>(manifest.data()),
                       manifest.size()) == 1;
  ERR_clear_error();
  return does;
}

}  // namespace

std::optional<fs::path> asked_trust(const std::optional<fs::path>& trust, const fs::path& system) {
  if (trust) return trust;
  if (const char* named = std::getenv("MPM_TRUST"); named != nullptr && *named != '\0') {
    return named;
  }
  std::error_code error;
  const fs::file_type type = fs::symlink_status(system, error).type();
  if (type == fs::file_type::not_found) return std::nullopt;
  if (error) throw unreadable(system, error.value());
  return system;
}

void check_signature(const fs::path& artifact, const std::string& manifest,
                     const std::optional<std::string>& record, const fs::path& trust) {
  const std::string file = artifact.string();
  const Keys keys = read_public_keys(trust);
  if (!record) {
    throw ArtifactError(
        file + ": not signed, and only what is signed with a key of " + trust.string() + " runs",
        std::string("have those who built it sign it: ") + sign_hint);
  }
  const std::optional<Signature> signature = parse_signature(*record);
  if (!signature) {
    throw ArtifactError(file + ": its signature is damaged",
                        std::string("have it signed anew: ") + sign_hint);
  }
  const auto found = keys.find(signature->key);
  if (found == keys.end()) {
    throw ArtifactError(
        file + ": signed with key " + signature->key + ", which is none of " + trust.string(),
        "have it signed with one of those, or put this key's public file there if you trust its "
        "owner");
  }
  const auto& [name, key] = found->second;
  if (!holds(key, manifest, signature->signature)) {
    throw ArtifactError(file + ": changed since it was signed: the signature by " + name +
                            " does not fit its manifest",
                        "copy the file again from where it was signed");
  }
}

}  // namespace mpm
