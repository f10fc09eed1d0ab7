extension IssuerConfiguration {
    /// Whether each token that `old` took is taken here too and comes to the same identity: what lasts over a reload goes
    /// on then.
    func reads(like old: IssuerConfiguration) -> Bool {
        guard Set(audiences).isSuperset(of: old.audiences), algorithms.isSuperset(of: old.algorithms) else {
            return false
        }
        var same = self
        same.audiences = old.audiences
        same.algorithms = old.algorithms
        return same == old
    }
}
