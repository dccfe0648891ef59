#include <doctest/doctest.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include <cstdlib>
#include <memory>

#include "artifact/archive.hpp"
#include "artifact/sha256.hpp"
#include "artifact/trust.hpp"
#include "artifact_made.hpp"
#include "mpm_runner/error.hpp"
#include "mpm_runner/manifest.hpp"
#include "temporary_folder.hpp"

using namespace mpm;
using namespace mpm::tests;

namespace {

// A pair of keys, made anew.
class KeyPair {
 public:
  KeyPair() : key_(EVP_PKEY_Q_keygen(nullptr, nullptr, "ED25519"), EVP_PKEY_free) {}

  void write_public(const fs::path& path) const {
    const std::unique_ptr<BIO, decltype(&BIO_free)> file(BIO_new_file(path.c_str(), "w"), BIO_free);
    REQUIRE(PEM_write_bio_PUBKEY(file.get(), key_.get()) == 1);
  }

  // A signature record.
  std::string sign(const std::string& manifest) const {
    const std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)> context(EVP_MD_CTX_new(),
                                                                          EVP_MD_CTX_free);
    std::string signature(64, '\0');
    std::size_t size = signature.size();
    REQUIRE(EVP_DigestSignInit(context.get(), nullptr, nullptr, nullptr, key_.get()) == 1);
    REQUIRE(EVP_DigestSign(context.get(), bytes_of(signature), &size, bytes_of(manifest),
                           manifest.size()) == 1);
    return Json{{"algorithm", "ed25519"}, {"key", fingerprint()}, {"signature", hex(signature)}}
        .dump();
  }

 private:
  static unsigned char* bytes_of(const std::string& text) {
    return reinterpret_cast<unsigned char*>(const_cast<char*>(text.data()));
  }

  static std::string hex(const std::string& bytes) {
    std::string text;
    for (const char byte : bytes) {
      for (const int shift : {4, 0}) text += "0123456789abcdef"[byte >> shift & 15];
    }
    return text;
  }

  std::string fingerprint() const {
    unsigned char* der = nullptr;
    const int size = i2d_PUBKEY(key_.get(), &der);
    Sha256 hash;
    hash.update(der, static_cast<std::size_t>(size));
    OPENSSL_free(der);
    return hash.hex_digest();
  }

  std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)> key_;
};

}  // namespace

TEST_SUITE("trust") {
  TEST_CASE("a trusted key vouches for the manifest that it has signed, and for no other") {
    const TemporaryFolder folder;
    const KeyPair trusted, stranger;
    trusted.write_public(folder / "release.pem");
    const std::string manifest = make_manifest().dump();
    const auto check = [&](const std::string& text, const std::optional<std::string>& record) {
      check_signature("a.pt", text, record, folder.path());
    };
    CHECK_NOTHROW(check(manifest, trusted.sign(manifest)));
    CHECK_THROWS_WITH_AS(check(manifest + " ", trusted.sign(manifest)),
                         doctest::Contains("by release.pem does not fit"), ArtifactError);
    CHECK_THROWS_WITH_AS(check(manifest, stranger.sign(manifest)),
                         doctest::Contains("which is none of"), ArtifactError);
    CHECK_THROWS_WITH_AS(check(manifest, std::nullopt), doctest::Contains("not signed"),
                         ArtifactError);
    Json claim = Json::parse(stranger.sign(manifest));
    claim["key"] = Json::parse(trusted.sign(manifest))["key"];
    CHECK_THROWS_WITH_AS(check(manifest, claim.dump()), doctest::Contains("does not fit"),
                         ArtifactError);
  }

  TEST_CASE("a signature that is not of the format is damaged") {
    const TemporaryFolder folder;
    KeyPair().write_public(folder / "release.pem");
    const std::string key(64, '0'), bytes(128, '0');
    for (const Json& record :
         {Json(), Json::object(), Json{{"algorithm", "none"}, {"key", key}, {"signature", bytes}},
          Json{{"algorithm", "ed25519"}, {"key", key + "0"}, {"signature", bytes}},
          Json{{"algorithm", "ed25519"}, {"key", key}, {"signature", std::string(128, 'g')}}}) {
      CHECK_THROWS_WITH_AS(check_signature("a.pt", "{}", record.dump(), folder.path()),
                           doctest::Contains("its signature is damaged"), ArtifactError);
    }
    CHECK_THROWS_AS(check_signature("a.pt", "{}", "no JSON", folder.path()), ArtifactError);
  }

  TEST_CASE("an artifact that nobody signed is read only where no trust is asked") {
    const TemporaryFolder folder;
    write_artifact(folder / "a.pt", make_manifest());
    KeyPair().write_public(folder / "release.pem");
    CHECK_NOTHROW(read_manifest(folder / "a.pt"));
    CHECK_THROWS_WITH_AS(read_manifest(folder / "a.pt", folder.path()),
                         doctest::Contains("not signed"), ArtifactError);
  }

  TEST_CASE("trust without keys trusts nobody") {
    const TemporaryFolder folder;
    const auto check = [](const fs::path& trust) { check_signature("a.pt", "{}", "{}", trust); };
    CHECK_THROWS_WITH_AS(check(folder.path()), doctest::Contains("NAME.pem each, got none"),
                         InputError);
    CHECK_THROWS_WITH_AS(check(folder / "none"), doctest::Contains("keys cannot be read: No such"),
                         InputError);
    fs::create_directory(folder / "folder.pem");
    CHECK_THROWS_WITH_AS(check(folder.path()), doctest::Contains("keys cannot be read: Is a dir"),
                         InputError);
    write_bytes(folder / "empty", FileBytes{});
    CHECK_THROWS_WITH_AS(check(folder / "empty"), doctest::Contains("expected a public key"),
                         InputError);
  }

  TEST_CASE("only one text is a key") {
    const TemporaryFolder folder;
    const std::string begin = "-----BEGIN PUBLIC KEY-----", end = "-----END PUBLIC KEY-----";
    const std::string key =
        "MCowBQYDK2VwAyEA11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHUR";  // RFC 8032's first
    const auto check = [&](const std::string& text) {
      write_bytes(folder / "release.pem", FileBytes(text.begin(), text.end()));
      check_signature("a.pt", "{}", std::nullopt, folder.path());
    };
    for (const std::string& text :
         {begin + "\n" + key + "o=\n" + end + "\n", "a note\n" + begin + "\n" + key + "o=\n" + end,
          begin + "\r\n" + key + "o=\r\n" + end + "\r\n"}) {
      CHECK_THROWS_WITH_AS(check(text), doctest::Contains("not signed"), ArtifactError);
    }
    for (const char* line : {"o=\n-0\n", "oAAAA=\n", "p=\n", "o=", "o\n"}) {
      CHECK_THROWS_WITH_AS(check(begin + "\n" + key + line + end),
                           doctest::Contains("expected a public key"), InputError);
    }
  }

  TEST_CASE("the caller goes over MPM_TRUST, which goes over the system") {
    const TemporaryFolder folder;
    const fs::path system = folder / "system";
    unsetenv("MPM_TRUST");
    CHECK(asked_trust({}, system) == std::nullopt);
    fs::create_symlink("nowhere", system);  // there, and of no use: not the same as not there
    CHECK(asked_trust({}, system) == system);
    setenv("MPM_TRUST", "variable", 1);
    CHECK(asked_trust({}, system) == "variable");
    CHECK(asked_trust("argument", system) == "argument");
    unsetenv("MPM_TRUST");
  }
}
