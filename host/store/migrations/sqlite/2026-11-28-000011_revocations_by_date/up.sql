-- What an organization has given up last. And the status has a fourth word by now, `impossible`: the provider has no revocation; what is
-- sealed stays for ninety days.
CREATE INDEX revocations_by_organization ON revocations (organization_id, date_added);
