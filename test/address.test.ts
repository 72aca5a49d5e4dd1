import { expect, test } from "vitest";
import { isForbidden, isNotPublic } from "../src/address.ts";

test.each([
  // Where clouds keep credentials, as each notation writes it.
  "169.254.169.254",
  "::ffff:169.254.169.254",
  "::ffff:a9fe:a9fe",
  "::a9fe:a9fe",
  "64:ff9b::a9fe:a9fe",
  "2002:a9fe:a9fe::",
  "2002:a9fe:a9fe:0:1::1",
  "fd00:ec2::254",
  "fd20:ce::254",
  "100.100.100.200",
  "168.63.129.16",
  "192.0.0.192",
  "::ffff:168.63.129.16",
  "64:ff9b::a83f:8110",
  // Nobody's.
  "0.0.0.0",
  "0.1.2.3",
  "::",
  "224.0.0.1",
  "239.255.255.255",
  "fe80::1",
  "fe80::1%eth0",
  "febf::1",
  "ff02::1",
])("%s is never connected to", (address) => {
  expect(isForbidden(address)).toBe(true);
  expect(isNotPublic(address)).toBe(true);
});

test.each([
  "127.0.0.1",
  "127.255.255.255",
  "10.0.0.1",
  "10.255.255.255",
  "172.16.0.1",
  "172.31.255.255",
  "192.168.0.1",
  "100.64.0.1",
  "100.127.255.255",
  "192.0.2.1",
  "192.88.99.1",
  "198.18.0.1",
  "198.19.255.255",
  "198.51.100.1",
  "203.0.113.1",
  "240.0.0.1",
  "255.255.255.255",
  "::1",
  "::7f00:1",
  "::8.8.8.8",
  "::ffff:127.0.0.1",
  "::ffff:10.0.0.1",
  "::ffff:8.8.8.8",
  "::ffff:0:8.8.8.8",
  "64:ff9b::8.8.8.8",
  "64:ff9b:1::7f00:1",
  "100::1",
  "2001::7f00:1",
  "2001:10::1",
  "2001:db8::1",
  "2002:7f00:1::",
  "2002:808:808::",
  "3fff::1",
  "4000::1",
  "5f00::1",
  "fc00::1",
  "fdff::1",
  "fec0::1",
])("%s may be configured, and is not public", (address) => {
  expect(isNotPublic(address)).toBe(true);
});

test.each([
  "1.1.1.1",
  "8.8.8.8",
  "9.255.255.255",
  "11.0.0.0",
  "100.63.255.255",
  "100.128.0.0",
  "126.255.255.255",
  "128.0.0.1",
  "169.253.255.255",
  "169.255.0.0",
  "172.15.255.255",
  "172.32.0.0",
  "192.0.1.1",
  "192.167.255.255",
  "192.169.0.0",
  "198.17.255.255",
  "198.20.0.0",
  "223.255.255.255",
  "2001:200::1",
  "2001:4860:4860::8888",
  "2003::1",
  "2606:4700:4700::1111",
  "2a00:1450::1",
])("%s is public", (address) => {
  expect(isNotPublic(address)).toBe(false);
  expect(isForbidden(address)).toBe(false);
});

test("private networks and loopback are for operators to allow", () => {
  for (const address of ["127.0.0.1", "::1", "10.0.0.1", "192.168.1.1", "fd12::1", "64:ff9b::10.0.0.1"])
    expect(isForbidden(address), address).toBe(false);
});
