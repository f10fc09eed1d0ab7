import Testing

@testable import Proxy

@Suite struct FieldMaskTests {
    @Test func everyFieldHasABitOfItsOwn() {
        for index in [0, 1, 63, 64, 127, 128, 129, 191, 192, 500, 1023, 5000] {
            var mask = FieldMask()
            #expect(mask.isEmpty)
            mask.insert(index)
            #expect(!mask.isEmpty)
            for other in 0..<5100 { #expect(mask.contains(other) == (other == index)) }
        }
        var all = FieldMask()
        for index in 0..<1024 { all.insert(index) }
        #expect((0..<1024).allSatisfy(all.contains) && !all.contains(1024))
        #expect(all != FieldMask())
    }

    @Test func whatIsNoPlaceIsNeverThere() {
        var mask = FieldMask()
        mask.insert(-1)
        #expect(mask.isEmpty && !mask.contains(-1))
    }
}
