package tinybert.core

import org.junit.Assert.assertArrayEquals
import org.junit.Assert.assertEquals
import org.junit.Assert.assertThrows
import org.junit.Test

class BertTokenizerTest {
    private val vocabulary = listOf("[PAD]", "[UNK]", "[CLS]", "[SEP]", "a", "fine", "film", "##s", "!")

    @Test
    fun `a fixed length is padded`() {
        val input = BertTokenizer(vocabulary, lowercase = true, sequenceLength = 8, fixedLength = true).encode("Fine films!")
        assertArrayEquals(intArrayOf(2, 5, 6, 7, 8, 3, 0, 0), input.tokenIds)
        assertArrayEquals(intArrayOf(1, 1, 1, 1, 1, 1, 0, 0), input.paddingMask)
        assertEquals(6, input.tokenCount)
    }

    @Test
    fun `no text is two special tokens`() {
        val tokenizer = BertTokenizer(vocabulary, lowercase = true, sequenceLength = 8)
        assertArrayEquals(intArrayOf(2, 3), tokenizer.encode(" \n").tokenIds)
        assertArrayEquals(intArrayOf(2, 3, 3), tokenizer.encode("", "").tokenIds)
        assertArrayEquals(intArrayOf(0, 0, 1), tokenizer.encode("", "").segmentIds)
    }

    @Test
    fun `halves of characters are left out`() {
        val tokenizer = BertTokenizer(vocabulary, lowercase = true, sequenceLength = 8)
        assertArrayEquals(intArrayOf(2, 5, 3), tokenizer.encode("fi\uD83Dne\uDE00").tokenIds)
    }

    @Test
    fun `the longer text is cut first`() {
        assertEquals(Pair(5, 5), truncatedSizes(9, 9, 10))
        assertEquals(Pair(3, 7), truncatedSizes(3, 9, 10))
        assertEquals(Pair(6, 4), truncatedSizes(9, 4, 10))
        assertEquals(Pair(5, 6), truncatedSizes(9, 9, 11))
        assertEquals(Pair(6, 5), truncatedSizes(9, 8, 11))
        assertEquals(Pair(10, 0), truncatedSizes(20, 0, 10))
    }

    @Test
    fun `the last of equal pieces counts`() {
        val tokenizer = BertTokenizer(listOf("a", "##s", "") + vocabulary + "a", lowercase = true, sequenceLength = 8)
        assertArrayEquals(intArrayOf(5, 12, 12, 10, 6), tokenizer.encode("a as").tokenIds)
    }

    @Test
    fun `a vocabulary that cannot be`() {
        val missing = assertThrows(ModelException::class.java) { WordPiece(listOf("[PAD]", "[UNK]", "[CLS]")) }
        assertEquals("the vocabulary has no [SEP]", missing.message)
    }
}
