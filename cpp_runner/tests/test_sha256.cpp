#include <doctest/doctest.h>

#include "artifact/sha256.hpp"

TEST_SUITE("sha256") {
  TEST_CASE("the examples of FIPS 180") {
    mpm::Sha256 empty;
    CHECK(empty.hex_digest() == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");

    mpm::Sha256 abc;
    abc.update("a", 1);
    abc.update("bc", 2);
    CHECK(abc.hex_digest() == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  }
}
